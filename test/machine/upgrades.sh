# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# For guest.sh: other versions of the package come and go while others connect.
pins=/sys/fs/bpf/junctor

# A person's way, there and back.
upgrade_to() { # NAME
	if ! dpkg -i "/test/$1.deb" || ! soon is_well; then
		show_why
		return 1
	fi
}

is_well() {
	[ "$(systemctl is-active junctord)" = active ] && junctor status | grep -q 'Degraded: *no'
}

our_programs() {
	bpftool cgroup show /sys/fs/cgroup | awk '$NF ~ /^jn_/ { print $1 }' | sort
}

our_links() {
	bpftool link show | awk -F: '/: cgroup/ { print $1 }' | sort
}

remember_hooks() {
	our_programs >/test/programs
	our_links >/test/links
	[ "$(wc -l </test/programs)" -ge 8 ] && [ "$(wc -l </test/links)" -ge 8 ]
}

# Other programs in the same links, so no hook was without one. Of some, both compilers make the same.
hooks_were_swapped() {
	our_links | diff /test/links - || return
	our_programs | diff /test/programs -
	[ "$(our_programs | wc -l)" = "$(wc -l </test/programs)" ] &&
		[ "$(comm -12 /test/programs <(our_programs) | wc -l)" -le 2 ]
}

value_bytes() { # TABLE
	bpftool map show pinned "$pins"/v*/"$1" | grep -oE 'value [0-9]+B' | grep -oE '[0-9]+'
}

# One folder of tables, under this number, whose endpoints and names take so many bytes.
tables_are() { # NUMBER ENDPOINT NAME
	ls $pins
	bpftool map show
	[ "$(ls $pins)" = "v$1" ] && [ "$(value_bytes jn_endpoints)" = "$2" ] &&
		[ "$(value_bytes jn_names)" = "$3" ]
}

# What another build pinned is not read; the kernel serves on with what it has, and the way out is said.
other_size_is_refused() {
	local pin
	pin=$(echo $pins/v*/jn_endpoints)
	systemctl stop junctord
	rm "$pin"
	bpftool map create "$pin" type array key 4 value 48 entries 4096 name jn_endpoints flags 0x400
	if systemctl start junctord || ! served; then
		return 1
	fi
	journalctl --no-pager -o cat -u junctord | tail -n 20 | grep 'value size is 48, not 32; nothing was read'
}

way_out_is_right() {
	systemctl stop junctord
	junctor cleanup && systemctl start junctord && served
}

upgrades() {
	local number endpoint name
	number=$(basename $pins/v* | tr -d v)
	endpoint=$(value_bytes jn_endpoints)
	name=$(value_bytes jn_names)
	check "the hooks are there" remember_hooks
	check "an upgrade under load" under_load upgrade_to next
	check "it put other programs in the same links" hooks_were_swapped
	check "others after the upgrade" others_are_well
	remember_hooks
	check "a downgrade under load" under_load upgrade_to junctor
	check "it put other programs in the same links, too" hooks_were_swapped
	check "an upgrade to other tables under load" under_load upgrade_to wider
	check "there are these tables alone, and they are wider" tables_are 1000 $((endpoint + 8)) $((name + 8))
	check "others after other tables" others_are_well
	check "the way back from them under load" under_load upgrade_to junctor
	check "there are the first tables alone" tables_are "$number" "$endpoint" "$name"
	check "others after the way back" others_are_well
	check "a table of another size is refused unread, and the kernel serves on" other_size_is_refused
	check "what the refusal says to do helps" way_out_is_right
	check "others after that" others_are_well
}
