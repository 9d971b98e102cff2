#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make deb`: the Debian package of this tree, in BUILD/deb, from a copy of what git knows: nothing
# that was built is taken over, and the same tree gives the same bytes. Needs no network.
# scripts/test-vm.sh makes others of it, in OUT: VERSION is another version, PATCH changes the copy,
# CLANG builds the kernel programs.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${OUT:-${BUILD:-build}/deb}
source=$out/junctor

for tool in dpkg-buildpackage dh lintian; do
	command -v "$tool" >/dev/null || {
		echo "deb: there is no $tool; scripts/deps.sh installs what is needed" >&2
		exit 1
	}
done

rm -rf "$out"
mkdir -p "$source"
git ls-files -z | grep -zv '^test/corpus/' | tar --null -T - -c | tar -x -C "$source"
cp -r scripts/packaging/debian "$source/debian"
[ -z "${PATCH:-}" ] || patch --quiet -d "$source" -p1 <"$PATCH"
[ -z "${VERSION:-}" ] || sed -i "1s/(.*)/($VERSION)/" "$source/debian/changelog"

# Nothing of the caller's build goes in: this is make's own child.
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD CC CFLAGS LDFLAGS PREFIX
(cd "$source" && DEB_BUILD_OPTIONS="parallel=$(nproc)" dpkg-buildpackage -b -uc >../build.log 2>&1) || {
	tail -n 30 "$out/build.log" >&2
	echo "deb: the package was not built; the whole log is $out/build.log" >&2
	exit 1
}
lintian --fail-on error,warning,info --display-info "$out"/junctor_*.changes
sha256sum "$out"/*.deb
