#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make test`: builds what is missing and runs every suite. The last line counts all their cases.
# SOAK=1 runs the full doses of the scenarios; PYTEST="-k name" hands words on to pytest.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "test: this needs root; run it as root or install sudo" >&2
		exit 1
	}
	exec sudo --preserve-env=BUILD,SOAK,PYTEST -- "$0" "$@"
fi
build=${BUILD:-build}
# shellcheck source=scripts/suites.sh
. scripts/suites.sh

build_all() {
	scripts/deps.sh &&
		make --no-print-directory test-programs &&
		make --no-print-directory BUILD="$build" sanitized
}

build_or_exit build_all
suite "unit tests (address and undefined behaviour sanitizers)" \
	scripts/run-cmocka.sh "$build"/sanitized/test/unit/*_test
# Sanitizers bring an allocator of their own, and this one's counter stays out of its way.
suite "memory that runs out at the n-th allocation" \
	scripts/run-cmocka.sh "$build"/test/unit/engine_memory_test
suite "corpora of the fuzz targets (the same sanitizers)" scripts/fuzz.sh replay
suite "kernel programs and their tables" scripts/run-cmocka.sh "$build"/test/bpf/*_test
# shellcheck disable=SC2086 # words
suite "scenarios" /usr/bin/python3 -m pytest -q -p no:cacheprovider --timeout 300 \
	--durations 10 ${PYTEST:-} test/scenario
# shellcheck disable=SC2086 # words
suite "scenarios with the sanitizers in junctord and junctor" \
	env BUILD="$build/sanitized" /usr/bin/python3 -m pytest -q -p no:cacheprovider \
	--timeout 300 ${PYTEST:-} test/scenario/test_{bad_input,bad_requests,limits,restart}.py

close_suites
