#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# tests.sh DOSE BUILD: in the guest, in the tree: the tests that are about the kernel. DOSE quick: the BPF
# tests of BUILD; verifier: what the verifier makes of BUILD/clang-14 and BUILD/clang-19, written to
# /share; full: that, the BPF tests of both, and scenarios. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
dose=$1
export BUILD=$2
# shellcheck source=scripts/suites.sh
. scripts/suites.sh

# Those that ask what the kernel does; what is junctord's alone is the same on every kernel.
scenarios=(clients sockets datagrams listeners balance isolation foreign_programs guard_routes endings
	live unplugged restart start_refusals kubernetes_services kubernetes_nodes health verify trace
	offline doctor service_manager)

# client_test comes last: it wants a machine that was not started just now.
bpf_tests() { # BUILD
	local program programs=()
	for program in "$1"/test/bpf/*_test; do
		[ "${program##*/}" = client_test ] || programs+=("$program")
	done
	LIMIT=600 scripts/run-cmocka.sh "${programs[@]}" "$1/test/bpf/client_test"
}

budgets() { # COMPILER
	if test/vm/budget.sh "$BUILD/$1" >"/share/$1" 2>&1; then
		echo "1 passed, 0 failed"
	else
		cat "/share/$1"
		echo "0 passed, 1 failed"
	fi
}

if [ "$dose" = quick ]; then
	suite "BPF tests" bpf_tests "$BUILD"
	close_suites
	exit
fi
for compiler in clang-14 clang-19; do
	suite "verifier budgets, $compiler" budgets "$compiler"
	[ "$dose" = verifier ] || suite "BPF tests, $compiler" bpf_tests "$BUILD/$compiler"
done
if [ "$dose" = verifier ]; then
	close_suites
	exit
fi
for name in "${scenarios[@]}"; do
	suite "scenario $name" /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --timeout 600 \
		"test/scenario/test_$name.py"
done
close_suites
