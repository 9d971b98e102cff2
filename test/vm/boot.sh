#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# boot.sh KERNEL SHARE: boots an unpacked kernel (kernel.sh) with this machine's own / as its root, read
# only, and this tree in /tree; runs the program SHARE/command there and exits with its code. What that
# writes to /share stays in SHARE. A kernel that complains of itself, or dies, is a failure. Emulated, so
# everything takes several times as long; no network device. LIMIT is the longest it may take, in
# seconds; MEMORY what the guest has, in MiB.
set -euo pipefail

kernel=$1
share=$2
release=$(ls "$kernel/lib/modules")
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# With what they need, in their order, and unpacked: busybox reads no .xz.
take_modules() { # NAME...
	local name word path rest file
	for name in "$@"; do
		modprobe -d "$kernel" -S "$release" --show-depends "$name" | while read -r word path rest; do
			[ "$word" = insmod ] || continue
			file=$(basename "${path%.xz}")
			[ ! -e "$root/modules/$file" ] || continue
			case $path in
			*.xz) xz -dc "$path" ;;
			*) cat "$path" ;;
			esac >"$root/modules/$file"
			echo "$file" >>"$root/modules/order"
		done
	done
}

share_folder() { # PATH TAG OPTIONS
	echo "local,path=$1,mount_tag=$2,security_model=none,multidevs=remap$3"
}

mkdir -p "$root"/{bin,dev,proc,modules,host,layer,root}
cp /bin/busybox "$root/bin/"
install -m 755 "$here/init.sh" "$root/init"
take_modules virtio_pci 9pnet_virtio 9p overlay
(cd "$root" && find . -print0 | cpio --null -o -H newc --quiet --owner=0:0) |
	gzip -1 >"$share/initrd"
rm -f "$share/status" "$share/dmesg"

timeout "${LIMIT:-600}" qemu-system-x86_64 -nodefaults -no-reboot -display none \
	-machine q35,accel=tcg -cpu max -smp 2 -m "${MEMORY:-3072}" \
	-kernel "$kernel/boot/vmlinuz-$release" -initrd "$share/initrd" \
	-append "console=ttyS0 quiet oops=panic panic=-1" \
	-chardev stdio,id=console,signal=off -serial chardev:console \
	-virtfs "$(share_folder / host ,readonly=on)" \
	-virtfs "$(share_folder "$here/../.." tree ,readonly=on)" \
	-virtfs "$(share_folder "$kernel" kernel ,readonly=on)" \
	-virtfs "$(share_folder "$share" share "")" </dev/null | sed -u 's|\r||' ||
	echo "vm: qemu ended with $?; it had ${LIMIT:-600} s"
[ -e "$share/status" ] || {
	echo "vm: the guest said no result; its kernel may have died, see the lines above"
	exit 1
}
if "$here/complaints.sh" "$share/dmesg"; then
	echo "vm: that is what its kernel complains of; see $share/dmesg"
	exit 1
fi
exit "$(cat "$share/status")"
