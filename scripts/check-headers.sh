#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Every header compiles alone: the shared ones for the kernel programs (both clangs) and for the
# controller (both clangs and gcc, where hidden padding is an error), the others for the controller.
set -euo pipefail
cd "$(dirname "$0")/.."

host=(-std=gnu17 -Wall -Wextra -Werror -D_GNU_SOURCE -I. -Iinclude -Iuserspace
	-isystem "${LLHTTP_INCLUDE:-/usr/share/include/llhttp}" -fsyntax-only)
bpf=(-target bpf -std=gnu11 -Wall -Wextra -Werror -Iinclude -Ikernel
	"-I/usr/include/$(gcc -print-multiarch)" -fsyntax-only)
failed=0

try() { # HEADER COMPILER FLAG...
	local header=$1 output
	shift
	output=$("$@" -x c - <<<"#include \"$header\"" 2>&1) || {
		printf '%s does not compile alone with %s:\n%s\n' "$header" "$1" "$output"
		failed=1
	}
}

for header in $(git ls-files 'include/*.h'); do
	header=${header#include/}
	for clang in clang-14 clang-19; do
		try "$header" "$clang" "${bpf[@]}"
		try "$header" "$clang" "${host[@]}"
	done
	try "$header" gcc "${host[@]}" -Wpadded
done
for header in $(git ls-files 'kernel/*.h'); do
	for clang in clang-14 clang-19; do
		try "${header#kernel/}" "$clang" "${bpf[@]}"
	done
done
for header in $(git ls-files 'proto/*.h' 'userspace/*.h'); do
	try "${header#userspace/}" gcc "${host[@]}"
done
exit "$failed"
