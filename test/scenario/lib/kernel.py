# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What of junctor the kernel holds: ids of pinned objects, programs attached to a cgroup.

Asks bpf() itself for pins, because bpftool wants to know beforehand what kind a pin is; bpftool for
the rest. Neighbours on the machine have BPF objects, too: only what hangs on our pins and our cgroup
is looked at.
"""

import ctypes
import json
import os
from pathlib import Path

import kernelstats
from kernelstats import SYS_BPF
from machine import run

BPF_OBJ_GET = 7
BPF_PROG_ATTACH = 8
BPF_LINK_UPDATE = 29
ALLOW_MULTI, PREORDER = 2, 64
ATTACH_TYPES = {"cgroup_inet_egress": 1, "cgroup_inet4_connect": 10, "cgroup_inet4_getpeername": 29}
KINDS = {"anon_inode:bpf-map": ("map", "map_id"), "anon_inode:bpf-prog": ("prog", "prog_id"),
         "anon_inode:bpf-link": ("link", "link_id")}


def pace():
    """How many times as long things take as on a real processor, at the most."""
    return 5 if "QEMU TCG CPU" in Path("/proc/cpuinfo").read_text(encoding="ascii") else 1


def is_ours():
    """It is one of test/vm's, and nobody else is served by it."""
    return os.uname().nodename == "junctor-vm"


def obj_get(path):
    """A file descriptor of a pinned object."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    attributes = (ctypes.c_uint64 * 16)(ctypes.addressof(name))
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_BPF[os.uname().machine], BPF_OBJ_GET, attributes, 128)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    return fd


def attach_first(cgroup, path, hook):
    """A pinned program, before all others of its hook; OSError where the kernel knows no such way."""
    program, folder = obj_get(path), os.open(cgroup, os.O_RDONLY)
    try:
        attributes = (ctypes.c_uint32 * 32)(folder, program, ATTACH_TYPES[hook],
                                            ALLOW_MULTI | PREORDER)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(SYS_BPF[os.uname().machine], BPF_PROG_ATTACH, attributes, 128):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(program)
        os.close(folder)


def link_update(link, program):
    """Puts a pinned program in the place of the one in a pinned link."""
    link, program = obj_get(link), obj_get(program)
    try:
        attributes = (ctypes.c_uint32 * 32)(link, program)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(SYS_BPF[os.uname().machine], BPF_LINK_UPDATE, attributes, 128):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(link)
        os.close(program)


def identity(path):
    """("map", 17) of one pin."""
    fd = obj_get(path)
    try:
        kind, field = KINDS[os.readlink(f"/proc/self/fd/{fd}")]
        lines = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii").splitlines()
        return kind, int(dict(line.split(":", 1) for line in lines)[field])
    finally:
        os.close(fd)


def pinned(folder):
    """{path below the folder: ("map", id)}; not the kernel's own maps.debug and progs.debug."""
    return {str(path.relative_to(folder)): identity(path)
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and path.suffix != ".debug"}


def attached(cgroup):
    """{program id: attach type} of one cgroup's own programs, whoever attached them."""
    return kernelstats.attached(cgroup)


def existing(kind):
    """Every id of a kind ("map", "prog", "link") on this machine."""
    return {one["id"] for one in json.loads(run("bpftool", "-j", kind, "show") or "[]")}


def of_junctor(pins, cgroup):
    """{"map": ids, "prog": ids, "link": ids} that hang on these pins and this cgroup."""
    ids = {"map": set(), "prog": set(attached(cgroup)), "link": set()}
    for kind, number in pinned(pins).values():
        ids[kind].add(number)
    for program in json.loads(run("bpftool", "-j", "prog", "show")):
        if program["id"] in ids["prog"]:
            ids["map"] |= set(program.get("map_ids", []))
    return ids


def left_of(ids):
    """Those that still exist."""
    return {kind: numbers & existing(kind) for kind, numbers in ids.items()
            if numbers & existing(kind)}
