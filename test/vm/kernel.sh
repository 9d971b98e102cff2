#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# kernel.sh SERIES FOLDER: fetches Debian's newest kernel of this series (6.1) into FOLDER and unpacks
# it there, once; nothing is installed. Prints the unpacked folder. Exit code 2: no such kernel can be
# had here, the last line of stderr says why.
set -euo pipefail

series=$1
mkdir -p "$2"
cd "$2"

# The plain kernel: those for clouds have no 9p. Names carry numbers that move with every update.
newest_package() {
	apt-cache search --names-only "^linux-image-${series//./\\.}\\.[0-9].*-amd64\$" | cut -d' ' -f1 |
		grep -vE -- '-(cloud|rt|unsigned)-|-unsigned$' | sort -V | tail -n 1
}

# A list that is older than the archive names files that are gone.
download() { # PACKAGE
	apt-get -q -o APT::Sandbox::User=root download "$1" >&2 ||
		{ apt-get -q update >&2 && apt-get -q -o APT::Sandbox::User=root download "$1" >&2; }
}

give_up() {
	echo "no kernel $series: $*" >&2
	exit 2
}

package=$(newest_package || true)
if [ -z "$package" ]; then
	apt-get -q update >&2 || true
	package=$(newest_package || true)
fi
[ -n "$package" ] || give_up "apt knows no package of that series"
if [ ! -d "$package" ]; then
	download "$package" || give_up "$package cannot be downloaded"
	rm -rf "$package.new"
	dpkg-deb -x "$package"_*.deb "$package.new"
	depmod -b "$package.new" "$(ls "$package.new/lib/modules")"
	rm -f "$package"_*.deb
	mv "$package.new" "$package"
fi
echo "$PWD/$package"
