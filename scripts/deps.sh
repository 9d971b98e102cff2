#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Installs what building, testing, measuring and the demo need on a fresh Debian 12. Does nothing
# when all of it is there. Programs that are there in another form (go, node) are not replaced.
#
#   scripts/deps.sh          everything
#   scripts/deps.sh deb      only what `make` and `make deb` need, not half of it
set -euo pipefail

packages=(
	# building
	gcc make pkg-config clang-14 llvm-14 libc6-dev linux-libc-dev bpftool
	libbpf-dev libnl-3-dev libelf-dev libuv1-dev libjansson-dev libsqlite3-dev libxxhash-dev libyaml-dev
	libsystemd-dev libnghttp2-dev node-llhttp
	# make deb
	build-essential debhelper lintian dpkg-dev systemd git
)
others=(
	# make check
	clang-19 llvm-19 clang-format-14 clang-tidy-19 libclang-rt-14-dev cppcheck shellcheck codespell mandoc
	# make test
	libcmocka-dev liburing-dev valgrind python3 python3-pytest python3-pytest-timeout
	# real clients and servers, namespaces
	nginx-light redis-server redis-tools dnsmasq-base bind9-dnsutils curl netcat-openbsd
	python3-grpcio python3-protobuf libfaketime
	iproute2 util-linux procps libcap2-bin
	# other kernels
	qemu-system-x86 busybox-static cpio gzip kmod xz-utils
	# make bench
	nftables iptables strace haproxy libnginx-mod-stream wrk
)
command -v go >/dev/null || [ -x /usr/local/go/bin/go ] || others+=(golang-go)
command -v node >/dev/null || others+=(nodejs)
case ${1:-} in
"") packages+=("${others[@]}") ;;
deb) ;;
*)
	echo "usage: $0 [deb]" >&2
	exit 2
	;;
esac

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps: installing ${missing[*]} needs root; run this as root or install sudo" >&2
		exit 1
	}
	exec sudo -- "$0" "$@"
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# Servers are started by the demo and the tests themselves, so packages need not start any.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
apt-get install -y -q --no-install-recommends "${missing[@]}"

# Nor does a boot: what came with this does not serve the machine.
for server in nginx redis-server haproxy; do
	[[ " ${missing[*]} " =~ " $server"(-light)?" " ]] || continue
	systemctl --quiet disable "$server"
done
