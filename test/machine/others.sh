# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# For guest.sh: what is not junctor's. Programs at the same hooks of the host's root, a unit whose
# packets systemd filters, and everything else that a purge has to leave as it was.
foreign=/sys/fs/bpf/foreign
filtered=/sys/fs/cgroup/system.slice/filtered.service

attach_others() {
	local hook
	bpftool prog loadall /test/foreign.o $foreign pinmaps ${foreign}_maps || return
	for hook in connect4:cgroup_inet4_connect peername4:cgroup_inet4_getpeername \
		egress:cgroup_inet_egress; do
		bpftool cgroup attach /sys/fs/cgroup "${hook#*:}" pinned "$foreign/foreign_${hook%:*}" multi ||
			return
	done
	systemctl start filtered
	their_programs >/test/theirs
	[ "$(wc -l </test/theirs)" = 5 ]
}

# systemd makes its own anew, one for one, whenever it reads its units again.
their_programs() {
	bpftool cgroup show /sys/fs/cgroup | grep foreign_
	bpftool cgroup show $filtered | grep -oE 'sd_fw_.*'
}

foreign_runs() {
	bpftool -j map dump pinned ${foreign}_maps/foreign_runs |
		grep -oE '"value":[0-9]+' | tail -n 1 | cut -d: -f2
}

in_filtered() { # COMMAND...
	(echo "$BASHPID" >$filtered/cgroup.procs && exec "$@")
}

# The unit may reach 127.0.0.1 and nothing else, and a service whose backends are there.
filter_works() { # URL
	in_filtered curl -s -m 5 -o /dev/null "$1" && curl -s -m 5 -o /dev/null http://127.0.0.2:8081/ &&
		! in_filtered curl -s -m 2 -o /dev/null http://127.0.0.2:8081/
}

others_are_well() { # [URL]
	local before
	before=$(foreign_runs)
	their_programs | diff /test/theirs - && filter_works "${1:-http://$vip/}" &&
		[ "$(foreign_runs)" -ge "$((before + 3))" ]
}

# --- what there is, without what differs from moment to moment ---------------------------------------
# systemd's device programs come and go with its units.
kernel_state() {
	echo "--- mounts"
	findmnt -rno TARGET,SOURCE,FSTYPE | sort
	echo "--- routes"
	ip route show table all
	ip -6 route show table all
	ip rule
	ip -6 rule
	echo "--- nft"
	nft list ruleset
	echo "--- pins"
	find /sys/fs/bpf -printf '%p %y %m %u\n' | sort
	echo "--- programs at cgroups"
	bpftool cgroup tree | sed -E 's/^ *[0-9]+ +/  /' | grep -v 'sd_devices'
	echo "--- programs, maps, links"
	{
		bpftool prog show
		bpftool map show
		bpftool link show
	} | sed -nE 's/^[0-9]+: (.*name [^ ]+).*/\1/p; s/^[0-9]+: (cgroup|iter|tracing).*/link \1/p' |
		grep -v sd_devices | sort
	echo "--- network settings"
	grep -rs . /proc/sys/net | grep -v -e /stable_secret -e conntrack_count | sort
	echo "--- names"
	getent passwd
	getent group
	cat /etc/gshadow
}

# Package management and the system itself write down what they did.
file_state() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /test \
		-o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/systemd \
		-o -path /var/tmp \) -prune -o -printf '%p %y %m %u %g %s %l\n' | grep -v '^/etc/[a-z]*- ' | sort
	find /etc -type f ! -name '*-' -exec sha256sum {} + | sort -k 2
}

remember_kernel() {
	kernel_state >/test/kernel.before
}

# What a person put into the services folder is his own, and stays where a purge finds it.
own_file_stays() {
	[ "$(find /etc/junctor -type f)" = /etc/junctor/services.d/services.yaml ] && rm -r /etc/junctor
}

kernel_is_as_before() {
	kernel_state | diff /test/kernel.before -
}

files_are_as_before() {
	file_state | diff /test/files.before -
}
