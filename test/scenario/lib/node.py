# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A host of its own: a network namespace, a cgroup, folders, and one junctord.

  namespace   only lo, no default route
              127.0.0.0/8, ::1, 10.1.0.1-4, fd00:1::1-4   where servers listen
              127.96.0.0/16, 10.96.0.0/16, fd00:96::/64   blackholes: VIPs that no interface has
              (127.0.0.0/8 is in the table "local", so its longer prefix stands there, too)
  cgroup      below the cgroup2 mount; all that starts in the node is moved there before exec
  pins        a bpffs of its own, so that nothing of it outlives the node

What is borrowed from the machine belongs to Machine (test/bench/machine.py) and goes with it.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from lib.control import Control
from lib.junctord import Junctord
from lib import servers
from machine import Broken

TOP = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("BUILD") or TOP / "build").resolve()
ENTER = 'echo 0 > "$1/cgroup.procs" && net=$2 && shift 2 && exec nsenter --net="$net" -- "$@"'
RUN_SECONDS = 60

BLACKHOLES_V4 = (("127.96.0.0/16", "local"), ("10.96.0.0/16", "main"))
BLACKHOLES_V6 = ("fd00:96::/64",)
ADDRESSES = [f"{net}{host}" for net in ("10.1.0.", "fd00:1::") for host in range(1, 5)]


def built(name):
    """A program that make built."""
    path = BUILD / name
    if not path.exists():
        raise Broken(f"{path} is missing; run make")
    return str(path)


def tool(name):
    return built(f"test/tools/{name}")


class Node:
    def __init__(self, machine, name):
        self.machine = machine
        self.space = machine.namespace(name)
        self.cgroup = machine.cgroup(name)
        machine.callback(Path(f"{self.cgroup}/cgroup.kill").write_text, "1", encoding="ascii")
        self.folder = Path(machine.folder(name))
        self.pins = machine.bpffs(f"{name}/pins")
        self.state = self.folder / "state"
        self.socket_path = str(self.folder / "control")
        self.control = Control(self.socket_path)
        self.junctord = Junctord(self)
        self.servers = servers.Servers(self)
        self.factory = None
        for network, table in BLACKHOLES_V4:
            self.ip("route", "add", "blackhole", network, "table", table)
        for network in BLACKHOLES_V6:
            self.ip("-6", "route", "add", "blackhole", network)
        for address in ADDRESSES:
            self.ip("address", "add", address, "dev", "lo")

    def ip(self, *arguments):
        self.space.run("ip", *arguments)

    # --- programs ---------------------------------------------------------------------------------
    def command(self, *command, cgroup=None, space=None):
        """What runs `command` in this node; cgroup, space: in another one's instead."""
        path = (space or self.space).path
        return ["sh", "-c", ENTER, "sh", cgroup or self.cgroup, path, *map(str, command)]

    def start(self, *command, cgroup=None, space=None, **options):
        return self.machine.start(*self.command(*command, cgroup=cgroup, space=space), **options)

    def run(self, *command, check=True, cgroup=None, space=None, **options):
        """Runs a program to its end; what it did, with stdout and stderr as text."""
        done = subprocess.run(self.command(*command, cgroup=cgroup, space=space), text=True,
                              capture_output=True, check=False,
                              **{"timeout": RUN_SECONDS, **options})
        if check:
            assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
        return done

    def said(self, *command, **options):
        """What a program that succeeds prints."""
        return self.run(*command, **options).stdout.strip()

    def tables(self):
        """{(VIP with port, protocol): what the pinned tables say of it}; see tools/dump_tables.c."""
        folder, = Path(self.pins).glob("v*")
        rows = [json.loads(line)
                for line in self.said(tool("dump_tables"), folder).splitlines()]
        found = {(row.pop("vip"), row.pop("protocol")): row for row in rows}
        assert len(found) == len(rows), f"a frontend stands twice in the table: {rows}"
        return found

    def python(self, script, *arguments, **options):
        """Starts a program of lib/."""
        return self.start("/usr/bin/python3", Path(__file__).parent / script, *arguments,
                          **options)

    # --- sockets ----------------------------------------------------------------------------------
    def open_socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0, timeout=5):
        """A socket of this node, for use here."""
        self.factory = self.factory or Factory(self)
        made = self.factory.make(family, kind, proto)
        made.settimeout(timeout)
        return made

    def tcp(self, family=socket.AF_INET):
        return self.open_socket(family, socket.SOCK_STREAM)

    def udp(self, family=socket.AF_INET):
        return self.open_socket(family, socket.SOCK_DGRAM)

    def netstat(self, group, counter):
        """A counter of the namespace's /proc/net/netstat or snmp, such as TcpExt, TCPFastOpenActive."""
        lines = self.said("cat", "/proc/net/netstat", "/proc/net/snmp").splitlines()
        names, values = [line.split() for line in lines if line.startswith(f"{group}:")]
        return int(values[names.index(counter)])


class Factory:
    """Sockets of a namespace and cgroup; see factory.py."""

    def __init__(self, node, **where):
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = node.python("factory.py", theirs.fileno(), pass_fds=[theirs.fileno()],
                                       stderr=sys.stderr, **where)
        self.ours.settimeout(10)
        node.machine.callback(self.ours.close)

    def make(self, family, kind, proto=0):
        self.ours.send(json.dumps([int(family), int(kind), int(proto)]).encode())
        error, fds, _, _ = socket.recv_fds(self.ours, 16, 1)
        if not fds:
            raise OSError(int(error or 5), os.strerror(int(error or 5)))
        return socket.socket(fileno=fds[0])
