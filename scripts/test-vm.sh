#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make test-vm`: a whole Debian with systemd, booted under qemu without a network device, in which the
# package is installed and used as a person would: test/machine/guest.sh says how. KERNELS="6.12" boots
# one kernel instead of two. The file system is made once (BUILD/machine/rootfs) and kept. PACKAGES names
# a folder that has the packages already. Root.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}
home=$build/machine
rootfs=$home/rootfs
packages=${PACKAGES:-$home/packages}
limit=${LIMIT:-1800} # seconds, all boots of one kernel together
passed=0
failed=0

if [ "$(id -u)" != 0 ]; then
	echo "test-vm: this needs root; run it as root" >&2
	exit 1
fi
if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
	echo "test-vm: the Debian under test is one for amd64, which this machine cannot make" >&2
	exit 1
fi

# No other target needs these, so CI does without them.
get_tools() {
	local tool
	for tool in mmdebstrap qemu-system-x86_64 mke2fs patch; do
		command -v "$tool" >/dev/null && continue
		apt-get update -q
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
			mmdebstrap qemu-system-x86 e2fsprogs patch
		return
	done
}

# One more package of this tree, as NAME.deb; deb.sh says what may be different in it.
package() { # NAME SETTING=VALUE...
	local name=$1 out=$home/deb-$1
	shift
	env "$@" OUT="$out" scripts/deb.sh
	cp "$(find "$out" -maxdepth 1 -name 'junctor_*.deb')" "$packages/$name.deb"
	rm -rf "$out"
}

# This tree; the next version, whose kernel programs another compiler built, so that not one of them is
# the same; and one whose tables are really wider, under another number.
make_packages() {
	local version
	version=$(sed -n '1s/.*(\(.*\)).*/\1/p' scripts/packaging/debian/changelog)
	rm -rf "$packages"
	mkdir -p "$packages"
	package junctor
	package next VERSION="$version+next" CLANG=clang-19
	package wider VERSION="$version+wider" PATCH=test/machine/wider.patch
}

# What the package depends on, by name alone: it is installed there from its file.
dependencies() { # DEB
	dpkg-deb -f "$1" Depends | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/ //g' | paste -sd,
}

make_rootfs() {
	local include
	include=systemd-sysv,udev,dbus,linux-image-cloud-amd64,linux-image-6.12-cloud-amd64,initramfs-tools
	include=$include,iproute2,nftables,curl,bpftool,python3,$(dependencies "$packages/junctor.deb")
	[ "$(cat "$rootfs.done" 2>/dev/null)" != "$include" ] || return 0
	echo "making a Debian in $rootfs"
	rm -rf "$rootfs" "$rootfs.done"
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
		2>/dev/null >"$home/sources" || true
	mmdebstrap --quiet --variant=minbase --mode=root --include="$include" bookworm "$rootfs" \
		<"$home/sources"
	echo "$include" >"$rootfs.done"
}

# Everything of a run is in /test of the guest, and its first boot begins it.
make_disk() {
	rm -rf "$rootfs/test"
	mkdir "$rootfs/test"
	cp "$packages"/*.deb test/machine/* test/vm/complaints.sh test/scenario/lib/load.py \
		examples/web.json "$rootfs/test/"
	clang-14 -target bpf -O2 -g -I"/usr/include/$(gcc -print-multiarch)" \
		-c test/scenario/bpf/foreign.bpf.c -o "$rootfs/test/foreign.o"
	cp test/machine/*.service "$rootfs/etc/systemd/system/"
	ln -sf /etc/systemd/system/machine-test.service \
		"$rootfs/etc/systemd/system/multi-user.target.wants/machine-test.service"
	ln -sf /dev/null "$rootfs/etc/systemd/system/serial-getty@ttyS0.service"
	echo machine >"$rootfs/etc/hostname"
	mke2fs -q -F -t ext4 -d "$rootfs" "$home/disk.img" 3G
}

# What the guest's kernel complains of fails the run. An emulated processor stands still while a busy
# host runs others, for half a minute at times: what it calls a soft lockup has to last for two.
boot() { # RELEASE LOG
	timeout "$limit" qemu-system-x86_64 -nodefaults -display none \
		-machine q35,accel=tcg -cpu max -smp 2 -m 1536 \
		-kernel "$rootfs/boot/vmlinuz-$1" -initrd "$rootfs/boot/initrd.img-$1" \
		-append "root=/dev/vda rw console=ttyS0 quiet oops=panic panic=-1 watchdog_thresh=60 systemd.show_status=no" \
		-drive "file=$home/disk.img,if=virtio,format=raw" \
		-chardev stdio,id=console,signal=off -serial chardev:console </dev/null |
		sed -u 's/\r//' | tee "$2" || echo "test-vm: qemu ended; it had $limit s"
}

run_on() { # SERIES
	local release log=$home/console-$1.log
	release=$(find "$rootfs/lib/modules" -mindepth 1 -maxdepth 1 -name "$1.*" -printf '%f\n' |
		sort -V | tail -n 1)
	if [ -z "$release" ]; then
		echo "test-vm: there is no kernel $1 in $rootfs"
		failed=$((failed + 1))
		return
	fi
	printf '\n=== a Debian with Linux %s\n' "$1"
	make_disk
	boot "$release" "$log"
	passed=$((passed + $(grep -c '^ok ' "$log" || true)))
	failed=$((failed + $(grep -c '^FAILED ' "$log" || true)))
	if ! grep -q '^all stages were run$' "$log"; then
		echo "test-vm: the guest did not come to its end"
		failed=$((failed + 1))
	fi
	# Also what came after the guest's last look.
	if test/vm/complaints.sh "$log"; then
		echo "test-vm: that is what the guest's kernel complains of; see $log"
		failed=$((failed + 1))
	fi
}

get_tools
mkdir -p "$home"
[ -n "${PACKAGES:-}" ] || make_packages
make_rootfs
for series in ${KERNELS:-6.1 6.12}; do
	run_on "$series"
done
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
