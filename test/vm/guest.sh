#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Process 1 of the guest: what a Debian host has (file systems, modules on demand, lo), then
# /share/command in the tree. Its exit code goes to /share/status, the kernel's log to /share/dmesg.
# There is no network device: nothing leaves the guest.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm /lib/modules
mount -t devpts pts /dev/pts
for folder in /dev/shm /tmp /run /var/tmp; do
	mount -t tmpfs memory "$folder"
done
mkdir -p /run/lock /run/netns
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
mount --bind /kernel/lib/modules /lib/modules
ip link set lo up
hostname junctor-vm

echo "Linux $(uname -r) is up after $(cut -d' ' -f1 /proc/uptime) s"
cd /tree || exit 1
/share/command </dev/null
echo $? >/share/status
dmesg --notime >/share/dmesg
sync
/bin/busybox poweroff -f
