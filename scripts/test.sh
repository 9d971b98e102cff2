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
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The suite's own closing line, "N passed, N failed" or pytest's, is what counts.
suite() { # NAME COMMAND...
	local name=$1 status good bad
	shift
	printf '\n=== %s\n' "$name"
	"$@" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	good=$(tail -n 3 "$log" | grep -oE '[0-9]+ passed' | tail -n 1 | cut -d' ' -f1)
	bad=$(tail -n 3 "$log" | grep -oE '[0-9]+ (failed|errors?)' | awk '{ n += $1 } END { print n + 0 }')
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	passed=$((passed + ${good:-0}))
	failed=$((failed + bad))
}

build_all() {
	scripts/deps.sh &&
		make --no-print-directory test-programs &&
		make --no-print-directory BUILD="$build" sanitized
}

build_all >"$log" 2>&1 || {
	tail -n 50 "$log"
	echo "0 passed, 1 failed"
	exit 1
}
suite "unit tests (address and undefined behaviour sanitizers)" \
	scripts/run-cmocka.sh "$build"/sanitized/test/unit/*_test
suite "corpora of the fuzz targets (the same sanitizers)" scripts/fuzz.sh replay
suite "kernel programs and their tables" scripts/run-cmocka.sh "$build"/test/bpf/*_test
# shellcheck disable=SC2086 # words
suite "scenarios" /usr/bin/python3 -m pytest -q -p no:cacheprovider --timeout 300 \
	--durations 10 ${PYTEST:-} test/scenario
# shellcheck disable=SC2086 # words
suite "scenarios with the sanitizers in junctord and junctor" \
	env BUILD="$build/sanitized" /usr/bin/python3 -m pytest -q -p no:cacheprovider \
	--timeout 300 ${PYTEST:-} test/scenario/test_{bad_input,bad_requests,limits,restart}.py

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
