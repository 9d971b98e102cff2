#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make test-kernels`: the kernels that Debian has, each booted under qemu with this tree: the BPF tests
# of both compilers, the scenarios that are about the kernel, and what the verifier makes of the
# programs, compared with docs/verifier.md. KERNELS="6.1" names the series. WRITE=1 writes that table
# anew, for this kernel, too, and tests nothing else.
#
# test-kernels.sh quick: the BPF tests on one kernel, for `make test`; where there is no qemu or no such
# kernel it says so and is no failure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

if [ "$(id -u)" != 0 ]; then
	echo "test-kernels: this needs root; run it as root" >&2
	exit 1
fi
dose=${1:-$([ -n "${WRITE:-}" ] && echo verifier || echo full)}
# The guest has this tree in another place.
build=$(realpath -m --relative-to=. "${BUILD:-build}")
# shellcheck source=scripts/suites.sh
. scripts/suites.sh

leave() { # REASON...
	echo "SKIPPED, NOTHING WAS TESTED ON ANOTHER KERNEL: $*"
	echo "0 passed, $([ "$dose" = quick ] && echo 0 || echo 1) failed"
	[ "$dose" = quick ]
	exit
}

build_all() {
	make --no-print-directory BUILD="$build" test-programs || return 1
	[ "$dose" != quick ] || return 0
	local compiler
	for compiler in clang-14 clang-19; do
		make --no-print-directory BUILD="$build/$compiler" CC="$compiler" CLANG="$compiler" \
			test-bpf-programs || return 1
	done
}

boot() { # SERIES
	local share=$build/kernels/$1.share kernel compiler
	kernel=$(test/vm/kernel.sh "$1" "$build/kernels" 2>"$log") || leave "$(tail -n 1 "$log")"
	mkdir -p "$share"
	rm -f "$share"/clang-*
	printf '#!/bin/sh\nexec test/vm/tests.sh %s %s\n' "$dose" "$build" >"$share/command"
	chmod +x "$share/command"
	suite "Linux $1 under qemu" test/vm/boot.sh "$kernel" "$(realpath "$share")"
	[ "$dose" != quick ] || return
	for compiler in clang-14 clang-19; do
		grep -q '^jn_' "$share/$compiler" 2>/dev/null || continue
		cp "$share/$compiler" "$build/verifier/$1-$compiler"
		results+=("$build/verifier/$1-$compiler")
	done
}

[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] ||
	leave "the kernels are taken from Debian's packages for amd64, which this machine cannot use"
command -v qemu-system-x86_64 >/dev/null ||
	leave "there is no qemu-system-x86_64; scripts/deps.sh installs it"
case $build in
..*) leave "BUILD=$build is outside of this tree, which is all that the guest sees" ;;
esac

build_or_exit build_all
mkdir -p "$build/verifier"
results=()
if [ "$dose" = quick ]; then
	LIMIT=${LIMIT:-600} boot 6.1
	close_suites
	exit
fi
for series in ${KERNELS:-6.1 6.12}; do
	LIMIT=${LIMIT:-5400} boot "$series"
done
if [ "$dose" = verifier ]; then
	scripts/verifier.py write "${results[@]}" && scripts/check-budgets.sh write || failed=$((failed + 1))
elif [ "${#results[@]}" -gt 0 ]; then
	suite "growth since docs/verifier.md" scripts/verifier.py check "${results[@]}"
fi
close_suites
