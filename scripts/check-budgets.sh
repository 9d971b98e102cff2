#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the verifier makes of every kernel program, built by clang 14 and by clang 19: within the
# budgets of test/bpf/budget_test.c. Needs root: programs are loaded, nothing is attached.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}

for compiler in 14 19; do
	make --no-print-directory BUILD="$build/clang-$compiler" CC="clang-$compiler" \
		CLANG="clang-$compiler" "$build/clang-$compiler/test/bpf/budget_test"
	"$build/clang-$compiler/test/bpf/budget_test"
done
