#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# junctor on real programs, from nothing to a killed and restarted daemon. Everything happens in a
# cgroup and in network namespaces of its own, which have no way out, and is removed at the end,
# however it ends. Ends non-zero when anything it says does not hold.
#
#        namespace "node"                              namespace "far"
#   curl dig redis-cli python                      redis     10.1.0.2:6379
#   nginx "blue"   127.0.0.1:8081   ---- veth ---- dnsmasq   10.1.0.2:53
#   nginx "green"  127.0.0.1:8082   10.1.0.0/30
#   junctord
#
# Service addresses: 127.96.0.0/16, 10.96.0.0/16, fd00:96::/64. No interface has one of them.
set -euo pipefail

if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "demo: this needs root; run it as root or install sudo" >&2
		exit 1
	}
	exec sudo -- "$0" "$@"
fi

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
build=$(realpath -m "${BUILD:-build}")
id=junctor-demo-$$
node=$id-node
far=$id-far
dir=$(mktemp -d "${TMPDIR:-/tmp}/$id.XXXXXX")
cgroup=
export PATH="$build:$PATH:/usr/sbin:/sbin" SOCK=$dir/control.sock
step=0

say() {
	step=$((step + 1))
	printf '\n%2d. %s\n' "$step" "$*"
}

fail() {
	printf 'demo: step %d: %s\n' "$step" "$*" >&2
	exit 1
}

# inside NAMESPACE COMMAND...: becomes that command, in the demo's cgroup; call it in a subshell.
inside() {
	local namespace=$1
	shift
	echo "$BASHPID" >"$cgroup/cgroup.procs"
	exec nsenter --net="/run/netns/$namespace" -- "$@"
}

# run COMMANDLINE: shows it, runs it on the node, shows and keeps (in $dir/out) what it prints.
run() {
	printf '    $ %s\n' "$1"
	(inside "$node" bash -o pipefail -c "$1") >"$dir/out" 2>&1 || {
		sed 's/^/      /' "$dir/out"
		fail "this command failed"
	}
	sed 's/^/      /' "$dir/out"
}

# await SENTENCE NAMESPACE COMMAND...: tries for ten seconds.
await() {
	local sentence=$1 tries=100
	shift
	until (inside "$@") >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || {
			cat "$dir"/*.log >&2
			fail "$sentence"
		}
		sleep 0.1
	done
}

await_port() { # NAMESPACE ADDRESS PORT
	await "nobody listens on $2:$3" "$1" bash -c "exec 3<>/dev/tcp/$2/$3"
}

# --- the demo's own world ---------------------------------------------------------------------
make_world() {
	local root
	root=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
	[ -n "$root" ] || fail "no cgroup2 is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup"
	mkdir "$root/$id"
	cgroup=$root/$id
	ip netns add "$node"
	ip netns add "$far"
	for namespace in "$node" "$far"; do
		ip -n "$namespace" link set lo up
		ip -n "$namespace" route add blackhole 10.96.0.0/16
		ip -n "$namespace" -6 route add blackhole fd00:96::/64
	done
	ip -n "$node" link add cable type veth peer name cable netns "$far"
	ip -n "$node" address add 10.1.0.1/30 dev cable
	ip -n "$far" address add 10.1.0.2/30 dev cable
	ip -n "$node" link set cable up
	ip -n "$far" link set cable up
}

start_nginx() { # NAME PORT
	cat >"$dir/$1.conf" <<-CONF
		daemon off;
		worker_processes 1;
		pid $dir/$1.pid;
		error_log $dir/$1.log;
		events { }
		http {
		    access_log off;
		    server {
		        listen 127.0.0.1:$2;
		        location / { return 200 "$1\n"; }
		    }
		}
	CONF
	inside "$node" nginx -e "$dir/$1.log" -c "$dir/$1.conf" &
}

start_servers() {
	start_nginx blue 8081
	start_nginx green 8082
	inside "$far" redis-server --bind 10.1.0.2 --protected-mode no --dir "$dir" \
		--save '' --appendonly no >"$dir/redis.log" 2>&1 &
	inside "$far" dnsmasq --no-daemon --conf-file=/dev/null --pid-file= --no-resolv --no-hosts \
		--bind-interfaces --listen-address=10.1.0.2 \
		--host-record=shop.example,192.0.2.10,2001:db8::10 \
		--txt-record=shop.example,"served by dnsmasq" \
		--srv-host=_http._tcp.shop.example,shop.example,80 >"$dir/dnsmasq.log" 2>&1 &
	await_port "$node" 127.0.0.1 8081
	await_port "$node" 127.0.0.1 8082
	await_port "$far" 10.1.0.2 6379
	await_port "$far" 10.1.0.2 53
}

# Nothing of a junctor that is installed here: its configuration and its files are not the demo's.
start_junctord() {
	: >"$dir/junctord.yaml"
	inside "$node" junctord --config "$dir/junctord.yaml" --services-dir "$dir/services.d" \
		--cgroup "$cgroup" --pin-dir "$dir/pins" --state-dir "$dir/state" \
		--socket "$SOCK" >>"$dir/junctord.log" 2>&1 &
	junctord=$!
	await "junctord does not become ready" "$node" \
		curl -sf --unix-socket "$SOCK" http://junctor/readyz
}

# --- nothing stays behind, however the demo ends ----------------------------------------------
kill_processes() {
	[ -d "$cgroup" ] || return 0
	echo 1 >"$cgroup/cgroup.kill"
	for _ in $(seq 50); do
		grep -q 'populated 0' "$cgroup/cgroup.events" && return 0
		sleep 0.1
	done
	echo "demo: processes in $cgroup do not end" >&2
	return 1
}

clean_up() {
	local failed=0
	disown -a # bash need not tell that each was killed
	kill_processes || failed=1
	if [ -d "$dir/pins" ]; then
		junctord --offline cleanup --config "$dir/junctord.yaml" --pin-dir "$dir/pins" \
			--cgroup "$cgroup" >"$dir/out" 2>&1 || {
			cat "$dir/out" >&2
			failed=1
		}
	fi
	for namespace in "$node" "$far"; do
		[ ! -e "/run/netns/$namespace" ] || ip netns delete "$namespace" || failed=1
	done
	[ ! -d "$cgroup" ] || rmdir "$cgroup" || failed=1
	if grep -qF " $dir" /proc/self/mountinfo; then
		echo "demo: something is still mounted below $dir" >&2
		failed=1
	else
		rm -rf "$dir"
	fi
	return "$failed"
}

on_exit() {
	local status=$?
	trap '' INT TERM HUP
	trap - EXIT
	set +e
	clean_up || status=1
	exit "$status"
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- what is checked --------------------------------------------------------------------------
expect() { # TEXT: the last run's output has it
	grep -qF -- "$1" "$dir/out" || fail "expected '$1' in the output above"
}

expect_share() { # SERVER LOW HIGH: how often the last run's `uniq -c` counted it
	local count
	count=$(awk -v server="$1" '$2 == server { print $1 }' "$dir/out")
	if [ "${count:-0}" -lt "$2" ] || [ "${count:-0}" -gt "$3" ]; then
		fail "$1 answered ${count:-0} times, expected $2 to $3"
	fi
}

kill_and_restart_under_load() {
	local down up
	inside "$node" python3 scripts/demo/load.py http://127.96.0.10/ 4 500 5 "$dir/ledger" &
	load=$!
	sleep 1.5
	printf '    $ kill -KILL <junctord>\n'
	down=$(date +%s.%N)
	kill -KILL "$junctord"
	wait "$junctord" 2>/dev/null || true
	sleep 1.5
	up=$(date +%s.%N)
	printf '    $ junctord --cgroup ... &\n'
	start_junctord
	wait "$load" || fail "the load could not be run"
	awk -v down="$down" -v up="$up" -v planned=4000 '
		{ total++; if ($3 == "ok") good++; else print "      " $0 }
		$2 == "new" && $1 > down && $1 < up { meanwhile++ }
		END {
			printf "      planned %d, succeeded %d, failed %d;", planned, good, planned - good
			printf " %d new connections while no junctord ran\n", meanwhile
			exit !(total == planned && good == planned && meanwhile > 0)
		}' "$dir/ledger" || fail "connections were lost"
}

# --- the story --------------------------------------------------------------------------------
say "Installing what is missing, and building."
scripts/deps.sh >"$dir/deps.log" 2>&1 || { cat "$dir/deps.log" >&2; fail "scripts/deps.sh failed"; }
make all >"$dir/make.log" 2>&1 || { cat "$dir/make.log" >&2; fail "make all failed"; }
printf '      built %s\n' "${build#"$top/"}/junctord" "${build#"$top/"}/junctor"

say "A world of its own: two network namespaces joined by a cable, no way out, and a cgroup."
make_world

say "Real servers start: nginx 'blue' and nginx 'green' here; redis and dnsmasq across the cable."
start_servers

say "junctord starts, and hooks connect() and sendmsg() of the programs in that cgroup."
start_junctord
sed 's/^/      /' "$dir/junctord.log"

say "We declare services: addresses that exist nowhere, and who is behind them. curl will do ..."
run "curl -s --unix-socket \$SOCK http://junctor/v1/apply -d @examples/web.json"
expect '"created"'
echo "    ... and so will the command line tool."
run "cat examples/redis.json examples/dns.json | junctor --socket \$SOCK apply -f -"
run "junctor --socket \$SOCK get services"

say "600 connections by curl to the service 'web': the kernel chooses a server for each."
run "curl -s -H 'Connection: close' 'http://127.96.0.10/?[1-600]' | sort | uniq -c"
expect_share blue 240 360
expect_share green 240 360

say "Over IPv6, too, though both servers speak IPv4 only."
run "curl -s 'http://[fd00:96::10]/'"
grep -qE '^(blue|green)$' "$dir/out" || fail "no server answered over IPv6"

say "redis-cli, dig over UDP and over TCP, Python: nobody is told, everybody sees the service."
run "redis-cli -h 10.96.0.20 set greeting hello"
expect OK
run "redis-cli -h 10.96.0.20 get greeting"
expect hello
run "dig +short @10.96.0.53 shop.example A"
expect 192.0.2.10
run "dig +short +tcp @10.96.0.53 shop.example TXT"
expect "served by dnsmasq"
run "python3 -c 'import socket; print(socket.create_connection((\"10.96.0.20\", 6379)).getpeername())'"
expect "('10.96.0.20', 6379)"

say "We give green three times the weight, live; new connections follow at once."
run "junctor --socket \$SOCK apply -f examples/web-weights.json"
run "curl -s -H 'Connection: close' 'http://127.96.0.10/?[1-600]' | sort | uniq -c"
expect_share blue 90 210
expect_share green 390 510

say "Under load, junctord is killed with SIGKILL, and started again 1.5 s later."
kill_and_restart_under_load
run "junctor --socket \$SOCK status"

say "What junctor counted."
run "curl -s --unix-socket \$SOCK http://junctor/metrics | grep -E '^junctor_service_.*forwarded'"

say "Cleaning up."
trap - EXIT
trap '' INT TERM HUP
clean_up || fail "something was left behind"
echo "      no process, namespace, cgroup, mount or pin of this demo is left"
