#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make test-vm`: a whole Debian with systemd, booted under qemu without a network device, in which the
# package is installed and used as a person would: test/machine/guest.sh says how. The file system is
# made once (BUILD/machine/rootfs) and kept. DEB names a package that is there already. Root.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}
home=$build/machine
rootfs=$home/rootfs
log=$home/console.log
limit=${LIMIT:-900} # seconds, all boots together

if [ "$(id -u)" != 0 ]; then
	echo "test-vm: this needs root; run it as root" >&2
	exit 1
fi
for tool in mmdebstrap qemu-system-x86_64 mke2fs; do
	command -v "$tool" >/dev/null || {
		echo "test-vm: there is no $tool; install mmdebstrap, qemu-system-x86 and e2fsprogs" >&2
		exit 1
	}
done

# What the package depends on, by name alone: it is installed there from its file.
dependencies() { # DEB
	dpkg-deb -f "$1" Depends | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/ //g' | paste -sd,
}

make_rootfs() { # DEB
	[ ! -e "$rootfs.done" ] || return 0
	echo "making a Debian in $rootfs"
	rm -rf "$rootfs"
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
		2>/dev/null >"$home/sources" || true
	mmdebstrap --quiet --variant=minbase --mode=root \
		--include="systemd-sysv,udev,dbus,linux-image-cloud-amd64,initramfs-tools,iproute2,curl,bpftool,python3,$(dependencies "$1")" \
		bookworm "$rootfs" <"$home/sources"
	touch "$rootfs.done"
}

# Everything of a run is in /test of the guest, and its first boot begins it.
make_disk() { # DEB
	rm -rf "$rootfs/test"
	mkdir "$rootfs/test"
	cp "$1" "$rootfs/test/junctor.deb"
	cp test/machine/* examples/web.json "$rootfs/test/"
	cp test/machine/*.service "$rootfs/etc/systemd/system/"
	ln -sf /etc/systemd/system/machine-test.service \
		"$rootfs/etc/systemd/system/multi-user.target.wants/machine-test.service"
	ln -sf /dev/null "$rootfs/etc/systemd/system/serial-getty@ttyS0.service"
	echo machine >"$rootfs/etc/hostname"
	mke2fs -q -F -t ext4 -d "$rootfs" "$home/disk.img" 2G
}

boot() {
	local release
	release=$(ls "$rootfs/lib/modules")
	timeout "$limit" qemu-system-x86_64 -nodefaults -display none \
		-machine q35,accel=tcg -cpu max -smp 2 -m 1536 \
		-kernel "$rootfs/boot/vmlinuz-$release" -initrd "$rootfs/boot/initrd.img-$release" \
		-append "root=/dev/vda rw console=ttyS0 quiet panic=-1 systemd.show_status=no" \
		-drive "file=$home/disk.img,if=virtio,format=raw" \
		-chardev stdio,id=console,signal=off -serial chardev:console </dev/null |
		sed -u 's/\r//' | tee "$log" || echo "test-vm: qemu ended; it had $limit s"
}

mkdir -p "$home"
deb=${DEB:-}
if [ -z "$deb" ]; then
	scripts/deb.sh
	deb=$(ls "$build"/deb/junctor_*.deb)
fi
make_rootfs "$deb"
make_disk "$deb"
boot
passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAILED ' "$log" || true)
if ! grep -q '^all stages were run$' "$log"; then
	echo "test-vm: the guest did not come to its end"
	failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
