#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make check`: everything about the sources that a machine can judge without running junctor.
# Each step prints what is wrong; all steps run; exit 1 if one failed.
# shellcheck disable=SC2317 # the steps are called by name
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
failed=0

step() { # NAME COMMAND...
	local name=$1 output begin=$SECONDS
	shift
	if output=$("$@" 2>&1); then
		printf 'ok    %-34s %3d s\n' "$name" $((SECONDS - begin))
	else
		printf 'WRONG %s\n%s\n' "$name" "$output"
		failed=1
	fi
}

c_files() {
	git ls-files '*.c' '*.h'
}

format() {
	c_files | xargs clang-format-14 --dry-run -Werror
}

shell() {
	git ls-files '*.sh' .ci/run | xargs shellcheck
}

analyse() {
	# stderr only counts what was suppressed
	git ls-files 'proto/*.c' 'userspace/*.c' | xargs -P "$(nproc)" -n 8 clang-tidy-19 --quiet -p . \
		--warnings-as-errors='*' 2>/dev/null
}

static_check() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" \
		--enable=warning,performance --suppress=missingIncludeSystem \
		--suppress=unknownMacro --suppressions-list=scripts/cppcheck.txt \
		--library=posix --library=gnu \
		-I. -Iinclude -Iuserspace -D_GNU_SOURCE proto userspace test/unit
}

# Everything that is installed builds with both clangs, the kernel programs included.
both_compilers() {
	make --no-print-directory BUILD="$build/clang-19" CC=clang-19 CLANG=clang-19 \
		"$build/clang-19/junctord" "$build/clang-19/junctor" &&
		make --no-print-directory BUILD="$build/clang-14" CC=clang-14 CLANG=clang-14 \
			"$build/clang-14/junctord" "$build/clang-14/junctor"
}

spelling() {
	git ls-files '*.md' '*.c' '*.h' '*.py' '*.sh' | grep -v '^test/corpus/' |
		xargs codespell -q 3 -I scripts/codespell.txt
}

# Style is not judged: it wants to see the other pages installed.
manuals() {
	mandoc -T lint -W warning docs/man/*
}

step "format (clang-format 14)" format
step "layers" scripts/check-layers.sh
step "headers compile alone" scripts/check-headers.sh
step "sizes" scripts/check-sizes.sh
step "shellcheck" shell
step "spelling" spelling
step "manual pages" manuals
step "clang 14 and clang 19 build" both_compilers
step "cppcheck" static_check
step "clang-tidy" analyse
step "verifier budgets" scripts/check-budgets.sh
exit "$failed"
