#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Who may include whom (docs/architecture.md), and which library belongs to which room. A file may
# include its own room and the rooms named here. Prints every violation; exit 1 if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A rooms=(
	[base]=""
	[proto]="base"
	[client]="base proto"
	[model]="base proto"
	[datapath]="base"
	[netlink]="base"
	[loop]="base"
	[probe]="loop model proto base"
	[canary]="base"
	[store]="base proto"
	[engine]="model datapath netlink store proto base"
	[source]="engine loop proto base"
	[api]="engine datapath loop proto base"
	[offline]="datapath netlink store proto base"
	[doctor]="canary datapath netlink proto base"
	[daemon]="api doctor offline source probe canary engine model datapath netlink store loop proto base"
	[cli]="client proto base"
)
# Rooms that may include <junctor/...>.
abi=" proto model datapath netlink probe canary engine source api offline doctor daemon "
declare -A libraries=(
	[bpf]="datapath" [netlink]="netlink" [uv.h]="loop" [sqlite3.h]="store" [jansson.h]="proto" [llhttp.h]="loop client probe"
	[nghttp2]="probe"
	[xxhash.h]="base store" [yaml.h]="proto" [systemd]="daemon"
)
failed=0

complain() {
	echo "$1: $2"
	failed=1
}

check_rooms() {
	local file=$1 room line name
	room=$(basename "$(dirname "$file")")
	[ -n "${rooms[$room]+known}" ] || complain "$file" "$room is not a known room"
	while read -r line; do
		case $line in
		\"*)
			name=${line#\"}
			name=${name%%/*}
			case " $room ${rooms[$room]-} " in *" $name "*) ;; *)
				complain "$file" "$room may not include $name ($line)" ;;
			esac
			;;
		\<junctor/*)
			[[ $abi == *" $room "* ]] || complain "$file" "$room may not include $line"
			;;
		\<*)
			name=${line#<}
			name=${name%>}
			name=${name%%/*}
			case " ${libraries[$name]-$room} " in *" $room "*) ;; *)
				complain "$file" "$line belongs to: ${libraries[$name]}" ;;
			esac
			;;
		esac
	done < <(sed -nE 's/^#include +(["<][^">]+[">]).*/\1/p' "$file")
}

for file in $(git ls-files 'proto/*.[ch]' 'userspace/*.[ch]'); do
	check_rooms "$file"
done

# The kernel side and the shared headers.
while IFS=: read -r file line; do
	case $file:$line in
	kernel/*:*\<stdbool.h\> | kernel/*:*\"*.bpf.h\" | kernel/*:*\<junctor/* | kernel/*:*\<linux/* | kernel/*:*\<bpf/*) ;;
	include/*:*\<linux/types.h\> | include/*:*\<linux/errno.h\> | include/*/decide/*:*\<junctor/* | include/junctor/trace.h:*\<junctor/abi.h\>) ;;
	*) complain "$file" "may not have: $line" ;;
	esac
done < <(git ls-files 'kernel/*' 'include/*' | grep -E '\.[ch]$' | xargs -r grep -E '^#include')

# junctor, the command line tool, links neither libbpf nor libuv.
[ -x "${BUILD:-build}/junctor" ] || complain "${BUILD:-build}/junctor" "is not built; run make"
if ldd "${BUILD:-build}/junctor" | grep -E 'libbpf|libuv|libsqlite|libsystemd'; then
	complain "${BUILD:-build}/junctor" "links a library that is not its own"
fi
exit "$failed"
