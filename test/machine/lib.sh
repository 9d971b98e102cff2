# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What the steps of guest.sh share: a check and its line, waiting, asking the service, the load.
vip=127.96.0.10 # of web.json
plan='{"url": ["127.96.0.10", 80], "idle": 20, "busy": 2, "fresh": 10,
       "udp": ["127.96.0.11", 53], "asked": 5, "sent": 5}'

check() { # WHAT COMMAND...
	local what=$1 output
	shift
	if output=$("$@" 2>&1); then
		echo "ok $what"
		grep '^ledger:' <<<"$output"
	else
		echo "FAILED $what"
		echo "$output" | tail -n 20
	fi
}

# Until it is so, for ten seconds.
soon() { # COMMAND...
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	"$@"
}

served() { # both backends are reached
	local answers
	answers=$(for _ in $(seq 30); do curl -s -m 5 "http://$vip/" || echo "curl says $?"; done)
	[ "$(sort -u <<<"$answers" | paste -sd' ')" = "8081 8082" ] || {
		echo "$answers" | sort | uniq -c
		return 1
	}
}

pid() {
	systemctl show -p MainPID --value junctord
}

is_another() { # PID: another junctord than this one is up
	[ "$(systemctl is-active junctord)" = active ] && [ "$(pid)" != "$1" ] && [ "$(pid)" != 0 ]
}

show_why() {
	systemctl --no-pager -l status junctord
	journalctl --no-pager -o cat -u junctord | tail -n 20
}

# While it runs, and for two seconds more, everything goes well for those who connect.
under_load() { # COMMAND...
	local load result=0
	rm -f /test/end
	mkfifo /test/end
	python3 /test/load.py /test/ledger "$plan" </test/end >/test/begin 2>&1 &
	load=$!
	exec 3>/test/end
	if ! soon grep -q ready /test/begin || ! "$@" 3>&-; then
		cat /test/begin
		result=1
	fi
	sleep 2
	exec 3>&-
	wait "$load" || result=1
	python3 /test/judge.py /test/ledger || result=1
	return "$result"
}

# None since the boot; the kernel's messages are on the console, too, which the host reads.
kernel_is_content() {
	dmesg --notime >/test/dmesg
	! /test/complaints.sh /test/dmesg
}
