#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the verifier of this kernel makes of every kernel program, built by clang 14 and by clang 19:
# within the budgets of test/bpf/budget_test.c, and not much more than docs/verifier.md says; with
# "write" that is written anew. Needs root: programs are loaded, nothing is attached.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
series=$(uname -r | grep -oE '^[0-9]+\.[0-9]+')
mkdir -p "$build/verifier"

results=()
for compiler in 14 19; do
	make --no-print-directory BUILD="$build/clang-$compiler" CC="clang-$compiler" \
		CLANG="clang-$compiler" "$build/clang-$compiler/test/bpf/budget_test"
	results+=("$build/verifier/$series-clang-$compiler")
	test/vm/budget.sh "$build/clang-$compiler" | tee "${results[-1]}"
done
scripts/verifier.py "${1:-check}" "${results[@]}"
