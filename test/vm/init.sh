#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=sh
#
# The guest's first program: the host's / (read only, over 9p) below a layer of memory becomes the root,
# the modules of the guest's own kernel come to their place, and guest.sh takes over as process 1.
# That process has to change the root itself: the kernel looks for modprobe where process 1 is.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
while read -r module; do
	insmod "/modules/$module"
done </modules/order
share() { # TAG FOLDER OPTIONS
	mkdir -p "$2"
	mount -t 9p -o "$3,trans=virtio,version=9p2000.L,msize=262144" "$1" "$2"
}
share host /host ro,cache=loose
mount -t tmpfs layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /root
share tree /root/tree ro,cache=loose
share share /root/share rw
share kernel /root/kernel ro,cache=loose
umount /proc
mount --move /dev /root/dev
exec switch_root /root /bin/bash /tree/test/vm/guest.sh
