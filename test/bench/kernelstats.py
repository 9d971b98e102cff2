# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The kernel's own account of BPF programs and maps, through bpftool, one bpf() call and tracefs.

Statistics are on while a Statistics object is open and off as soon as the last holder (of any
process) closes; kernel.bpf_stats_enabled itself is left alone.
"""

import ctypes
import json
import os
import re

from harness import Void
from machine import Broken, find_mount, run

SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
BPF_ENABLE_STATS = 32
TRACE_KB = 16384  # a CPU: 100,000 calls
TRACE_HELD = re.compile(r"entries-in-buffer/entries-written: (\d+)/(\d+)")
TRACE_EVENT = re.compile(r" (\d+\.\d+): sys_bpf( -> )?")


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


def map_bytes(folder, programs):
    """{map name: memory in the kernel} of the maps pinned in a folder or used by programs."""
    used = {number for one in json.loads(run("bpftool", "-j", "prog", "show"))
            if one["id"] in programs for number in one.get("map_ids", [])}
    listed = json.loads(run("bpftool", "-j", "-f", "map", "show"))
    return {one["name"]: one["bytes_memlock"] for one in listed
            if one["id"] in used or any(path.startswith(folder) for path in one.get("pinned", []))}


class SystemCalls:
    """While open, the kernel notes when one thread enters and leaves bpf(): a trace of our own."""

    def __init__(self, machine, thread):
        self.folder = f"{find_mount('tracefs')}/instances/{machine.tag}"
        self.thread = thread

    def write(self, name, value):
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as out:
            out.write(str(value))

    def __enter__(self):
        os.mkdir(self.folder)
        self.write("buffer_size_kb", TRACE_KB)
        self.write("trace_clock", "mono")
        self.write("set_event_pid", self.thread)
        for edge in ("enter", "exit"):
            self.write(f"events/syscalls/sys_{edge}_bpf/enable", 1)
        return self

    def total(self):
        """(calls, seconds spent in them)."""
        calls, seconds, entered = 0, 0.0, 0.0
        with open(f"{self.folder}/trace", encoding="ascii") as lines:
            for line in lines:
                held, found = TRACE_HELD.search(line), TRACE_EVENT.search(line)
                if held and held[1] != held[2]:
                    raise Void(f"the trace lost events: {held[1]} of {held[2]} are left")
                if found and found[2]:
                    calls, seconds = calls + 1, seconds + float(found[1]) - entered
                elif found:
                    entered = float(found[1])
        return calls, seconds

    def __exit__(self, *_):
        os.rmdir(self.folder)
