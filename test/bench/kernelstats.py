# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The kernel's own account of BPF programs and maps, through bpftool and one bpf() call.

Statistics are on while a Statistics object is open and off as soon as the last holder (of any
process) closes; kernel.bpf_stats_enabled itself is left alone.
"""

import ctypes
import json
import os

from machine import Broken, run

SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
BPF_ENABLE_STATS = 32


class Statistics:
    """While open, the kernel counts run_cnt and run_time_ns of each program."""

    def __enter__(self):
        attributes = (ctypes.c_uint32 * 32)()  # all zero: BPF_STATS_RUN_TIME
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.syscall(SYS_BPF[os.uname().machine], BPF_ENABLE_STATS, attributes, 128)
        if self.fd < 0:
            raise Broken(f"BPF statistics: {os.strerror(ctypes.get_errno())}")
        return self

    def __exit__(self, *_):
        os.close(self.fd)


def are_on_for_all():
    with open("/proc/sys/kernel/bpf_stats_enabled", encoding="ascii") as setting:
        return setting.read().strip() == "1"


def attached(cgroup):
    """{program id: attach type} of one cgroup's own programs."""
    listed = run("bpftool", "-j", "cgroup", "show", cgroup).strip()
    return {one["id"]: one["attach_type"] for one in json.loads(listed or "[]")}


def effective(cgroup):
    """Ids of every program that runs for a socket of this cgroup, inherited ones included."""
    listed = run("bpftool", "-j", "cgroup", "show", cgroup, "effective").strip()
    return [one["id"] for one in json.loads(listed or "[]")]


class Counts:
    """{attach type: (runs, ns)} of some programs at one moment; subtract two of them."""

    def __init__(self, values):
        self.values = values

    @classmethod
    def read(cls, programs):
        """programs: what attached() returned."""
        values = {hook: (0, 0) for hook in programs.values()}
        for one in json.loads(run("bpftool", "-j", "prog", "show")):
            if one["id"] in programs:
                runs, ns = values[programs[one["id"]]]
                values[programs[one["id"]]] = (runs + one.get("run_cnt", 0),
                                               ns + one.get("run_time_ns", 0))
        return cls(values)

    def __sub__(self, before):
        return Counts({hook: (runs - before.values[hook][0], ns - before.values[hook][1])
                       for hook, (runs, ns) in self.values.items()})

    def runs(self, hook):
        return self.values[hook][0]

    def ns_per_run(self, hook):
        runs, ns = self.values[hook]
        return ns / runs if runs else 0.0

    def ns(self):
        return sum(ns for _, ns in self.values.values())

    def moved(self):
        return {hook: runs for hook, (runs, _) in self.values.items() if runs}


def pinned_maps(folder):
    """[{name, type, max_entries, bytes_memlock, …}] of the maps pinned below a folder."""
    maps = []
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                maps.append(json.loads(run("bpftool", "-j", "map", "show", "pinned",
                                           os.path.join(parent, name))))
            except Broken:
                continue  # a link or a program
    return maps
