#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# In the guest: one stage for each boot. Each step is a line "ok ..." or "FAILED ..." on the console;
# the last stage says that all were run. The host counts (scripts/test-vm.sh).
set -u
stage=$(cat /test/stage 2>/dev/null || echo 1)
# shellcheck source=test/machine/lib.sh
. /test/lib.sh
# shellcheck source=test/machine/upgrades.sh
. /test/upgrades.sh
# shellcheck source=test/machine/others.sh
. /test/others.sh

# --- stage 1: install and use ---------------------------------------------------------------------------
install_it() {
	if ! dpkg -i /test/junctor.deb || ! soon systemctl is-active junctord; then
		show_why
		return 1
	fi
}

# On the control socket, and in a file.
declare_it() {
	junctor apply -f /test/web.json && cp /test/services.yaml /etc/junctor/services.d/ &&
		soon curl -s -m 5 http://127.96.0.11/ && junctor status
}

reload_it() { # LEVEL EXPECTED
	echo "log-level: $1" >/etc/junctor/junctord.yaml
	systemctl reload junctord && sleep 1
	if [ "$2" = good ]; then
		junctor status | grep 'Degraded: *no'
	else
		junctor status | grep ConfigurationRefused
	fi && [ "$(systemctl is-active junctord)" = active ]
}

# The control socket is the group's, and its folder lets nobody else in.
socket_modes() {
	[ "$(stat -c '%a %G' /run/junctor/junctor.sock /run/junctor | paste -sd' ')" = \
		"660 junctor 750 junctor" ] || {
		stat -c '%a %U:%G %n' /run/junctor/junctor.sock /run/junctor
		return 1
	}
}

has_caps() {
	grep -i '^capbnd' "/proc/$(pid)/status"
	[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$(pid)/status")" = 2 ]
}

# What the service found to be there for it is what root finds without a sandbox.
nothing_is_taken_away() {
	local name lacking
	soon sh -c "junctor status | grep '^Features:'" || return 1
	for name in membarrier sock-destroy sock-kfunc; do
		lacking=$(junctor status | grep -c "^Features:.*$name (NOT available)")
		[ "$lacking" = "$(junctor doctor | grep -c "^warning *$name:")" ] || {
			junctor status
			junctor doctor
			return 1
		}
	done
}

first() {
	cp /etc/junctor/junctord.yaml /test/shipped.yaml 2>/dev/null
	systemctl enable -q --now backend@8081 backend@8082
	systemctl enable -q early-client
	bpftool -j link | tr '{' '\n' | sort >/test/links.before
	file_state >/test/files.before
	check "the package installs and the service is up" install_it
	cp /etc/junctor/junctord.yaml /test/shipped.yaml
	check "a service is declared" declare_it
	check "it is served" served
	check "sandboxed" has_caps
	check "the sandbox takes no feature of the kernel away" nothing_is_taken_away
	check "the socket belongs to the group" socket_modes
	check "a good configuration is taken on reload" reload_it debug good
	check "a bad one is refused on reload and named" reload_it loud bad
	cp /test/shipped.yaml /etc/junctor/junctord.yaml
	check "the kernel has no complaint" kernel_is_content
}

# --- stage 2: after a reboot ----------------------------------------------------------------------------
early() {
	cat /test/early
	[ "$(grep -cE '^808[12]$' /test/early)" = 2 ]
}

moment() { # UNIT PROPERTY
	systemctl show -p "$2TimestampMonotonic" --value "$1"
}

# Not by luck: junctord had said that it serves before the client, and anything else there, began.
was_first() {
	echo "$(moment junctord ActiveEnter) $(moment network-pre.target ActiveEnter)" \
		"$(moment early-client ExecMainStart)"
	[ "$(moment junctord ActiveEnter)" -gt 0 ] &&
		[ "$(moment junctord ActiveEnter)" -le "$(moment network-pre.target ActiveEnter)" ] &&
		[ "$(moment network-pre.target ActiveEnter)" -le "$(moment early-client ExecMainStart)" ]
}

# SIGSTOP: it hangs, the watchdog ends it, and connections go on all the while.
hang() {
	local before errors=0
	before=$(pid)
	kill -STOP "$before"
	for _ in $(seq 250); do
		curl -s -m 5 -o /dev/null "http://$vip/" || errors=$((errors + 1))
		is_another "$before" && break
		sleep 0.1
	done
	echo "$errors errors"
	is_another "$before" && [ "$errors" = 0 ]
}

crash() {
	local before
	before=$(pid)
	kill -KILL "$before"
	soon is_another "$before" && served
}

# A socket in another network namespace whose backend goes is ended, from within the sandbox.
end_elsewhere() {
	local client
	ip netns add other && ip -n other link set lo up && ip -n other addr add 10.1.0.1/32 dev lo
	junctor apply -f - <<'JSON'
{"apiVersion": "junctor.dev/v1alpha1", "kind": "LocalService", "metadata": {"name": "dns"},
 "spec": {"addresses": ["10.96.0.53"], "ports": [{"port": 53, "protocol": "UDP"}],
          "backends": [{"address": "10.1.0.1:53"}]}}
JSON
	ip netns exec other python3 /test/wait_for_end.py 10.96.0.53 53 &
	client=$!
	soon test -e /test/connected && junctor delete service dns && wait "$client"
}

second() {
	check "the first client after a boot is served" early
	check "junctord was up before the network" was_first
	check "the service is up after a boot" soon systemctl is-active junctord
	check "and serves" served
	check "one that hangs is ended by the watchdog, and nobody notices" hang
	check "one that dies is started again" crash
	check "a socket of a gone backend in another namespace is ended" end_elsewhere
}

# --- away --------------------------------------------------------------------------------------
remove_it() {
	dpkg -r junctor && ! systemctl is-active junctord && ! curl -s -m 2 "http://$vip/"
}

# What remove keeps: the configuration and what was declared.
kept() {
	[ -e /etc/junctor/junctord.yaml ] && [ -e /var/lib/junctor/state.db ]
}

nothing_is_left() {
	local left
	left=$(
		find / -xdev \( -name test -o -name proc -o -name sys \) -prune -o -iname '*junctor*' -print |
			grep -v -e '^/var/log' -e '^/var/lib/dpkg' -e '^/var/cache' -e '^/var/lib/systemd/deb'
		find /sys/fs/bpf /run -iname '*junctor*'
		getent group junctor
		ip route show table all proto 106
		ip -6 route show table all proto 106
		bpftool -j link | tr '{' '\n' | sort | diff /test/links.before - | grep '^>'
	)
	[ -z "$left" ] || {
		echo "$left"
		return 1
	}
}

third() {
	check "it is removed, and serves no more" remove_it
	check "the configuration and the state are kept" kept
	check "installed again it serves what was declared" install_it
	check "again" served
	check "purged" dpkg --purge junctor
	check "a file of the person's own stays" own_file_stays
	check "nothing is left" nothing_is_left
}

# --- beside others ----------------------------------------------------------------------------------------
fourth() {
	check "others have programs at the host's root, and a unit has a filter" attach_others
	check "they work before an installation" others_are_well http://127.0.0.1:8081/
	check "what the kernel holds is written down" remember_kernel
	check "it is installed beside them" install_it
	check "and serves what is declared" declare_it
	check "others after the installation" others_are_well
	upgrades
	check "purged once more" dpkg --purge junctor
	check "a file of the person's own stays, too" own_file_stays
	check "nothing of ours is left" nothing_is_left
	check "others after the purge" others_are_well http://127.0.0.1:8081/
	check "the kernel holds what it held" soon kernel_is_as_before
	check "files are what they were before the first installation" files_are_as_before
	check "the kernel has no complaint, again" kernel_is_content
}

echo "stage $stage, $(uname -r)"
case $stage in
1)
	first
	echo 2 >/test/stage
	systemctl reboot
	;;
2)
	second
	third
	fourth
	echo "all stages were run"
	systemctl poweroff
	;;
esac
