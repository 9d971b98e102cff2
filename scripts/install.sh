#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make install` and `make uninstall`: one list of files, put below DESTDIR or taken away again.
# uninstall removes what install put and nothing else: a configuration that was changed stays, and
# folders that are not junctor's own do.
#
#   scripts/install.sh install|uninstall     with BUILD, DESTDIR, PREFIX, SYSCONFDIR, UNITDIR
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}
destdir=${DESTDIR:-}
prefix=${PREFIX:-/usr}
sysconfdir=${SYSCONFDIR:-/etc}
units=$destdir${UNITDIR:-$prefix/lib/systemd/system}
config=$destdir$sysconfdir/junctor
docs=$destdir$prefix/share/doc/junctor

# The unit names it, where other characters would mean something.
case $prefix in
[!/]* | *[!A-Za-z0-9/._+~-]*)
	echo "install: the unit cannot name PREFIX '$prefix'; give a path from / of letters, digits, . _ + ~ -" >&2
	exit 2
	;;
esac

# Calls "$1" MODE SOURCE TARGET for each file but the configuration.
each_file() {
	local file
	"$1" 755 "$build/junctord" "$destdir$prefix/sbin/junctord"
	"$1" 755 "$build/junctor" "$destdir$prefix/bin/junctor"
	"$1" 644 "$build/packaging/junctord.service" "$units/junctord.service"
	"$1" 644 scripts/packaging/junctor.sysusers.conf "$destdir$prefix/lib/sysusers.d/junctor.conf"
	"$1" 644 scripts/packaging/junctor.tmpfiles.conf "$destdir$prefix/lib/tmpfiles.d/junctor.conf"
	for file in docs/man/*; do
		"$1" 644 "$file" "$destdir$prefix/share/man/man${file##*.}/${file##*/}"
	done
	for file in README.md CONTRIBUTING.md SECURITY.md LICENSE kernel/README.md examples/*.json \
		examples/*.yaml docs/*.md docs/*.svg docs/decisions/*.md; do
		"$1" 644 "$file" "$docs/$file"
	done
}

put() { # MODE SOURCE TARGET
	install -Dm"$1" "$2" "$3"
}

take() { # MODE SOURCE TARGET
	rm -f "$3"
}

# Folders of junctor's own, the innermost first; those that hold something of others stay.
own_folders() {
	find "$docs" -depth -type d 2>/dev/null || true
	printf '%s\n' "$config/services.d" "$config"
}

install_all() {
	mkdir -p "$build/packaging"
	sed "s|@PREFIX@|$prefix|g" scripts/packaging/junctord.service.in \
		>"$build/packaging/junctord.service"
	each_file put
	install -dm755 "$config/services.d"
	if [ ! -e "$config/junctord.yaml" ]; then
		install -m644 scripts/packaging/junctord.yaml "$config/junctord.yaml"
	elif ! cmp -s scripts/packaging/junctord.yaml "$config/junctord.yaml"; then
		echo "kept: $config/junctord.yaml, which was changed"
	fi
}

uninstall_all() {
	local folder
	each_file take
	if cmp -s scripts/packaging/junctord.yaml "$config/junctord.yaml"; then
		rm -f "$config/junctord.yaml"
	elif [ -e "$config/junctord.yaml" ]; then
		echo "kept: $config/junctord.yaml, which was changed; remove it yourself"
	fi
	own_folders | while read -r folder; do
		rmdir --ignore-fail-on-non-empty "$folder" 2>/dev/null || true
	done
}

case ${1:-} in
install | uninstall) "${1}_all" ;;
*)
	echo "usage: $0 install|uninstall" >&2
	exit 2
	;;
esac
