# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A program that holds many sockets and tells what becomes of each. See Holder in sockets.py.

Reads requests as JSON lines, answers each with one JSON line:
  {"open": group, "kind": "tcp" | "udp", "to": [address, port] | null, "count": N}
  {"connect": group, "to": [address, port]}   the same sockets, connected elsewhere
  {"send": group, "to": [address, port] | null}   a few bytes on each; no answer is waited for
  {"ask": group, "to": [address, port] | null}    how many have their bytes sent back: an answer of
                                              each within a second
  {"fates": group}                            {name of an errno, or "alive": [how many, the latest
                                              moment at which one was told, CLOCK_MONOTONIC]}
An error is what a program learns that waits for its socket: nothing is sent to find out.
"""

import collections
import errno
import json
import resource
import select
import socket
import sys
import time

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class Groups:
    def __init__(self):
        self.sockets = collections.defaultdict(list)
        self.fates = collections.defaultdict(dict)  # of a group: fd -> (name, when)
        self.group_of = {}
        self.poll = select.epoll()

    def open(self, group, kind, to, count):
        for _ in range(count):
            one = socket.socket(socket.AF_INET, KINDS[kind])
            one.settimeout(5)
            if to:
                one.connect(tuple(to))
            self.sockets[group].append(one)
            self.group_of[one.fileno()] = one, group
            self.poll.register(one, select.EPOLLET | select.EPOLLERR | select.EPOLLRDHUP)
        return count

    def note(self):
        """What happened to whom since the last time."""
        for fd, _ in self.poll.poll(0):
            one, group = self.group_of[fd]
            try:
                if one.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK):
                    continue
                name = "eof"
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ENOTCONN):
                    continue
                name = errno.errorcode[error.errno]
            self.fates[group].setdefault(fd, (name, time.monotonic()))

    def told(self, group):
        told = collections.defaultdict(lambda: [0, 0.0])
        for name, when in self.fates[group].values():
            told[name] = [told[name][0] + 1, max(told[name][1], when)]
        alive = len(self.sockets[group]) - len(self.fates[group])
        return {**told, **({"alive": [alive, 0.0]} if alive else {})}

    def send(self, group, to):
        sent = 0
        for one in self.sockets[group]:
            try:
                sent += one.sendto(b"12345678", tuple(to)) if to else one.send(b"12345678")
            except OSError:
                pass  # its fate tells
        return sent // 8

    def ask(self, group, to):
        answered = 0
        for one in self.sockets[group]:
            one.settimeout(1)
            try:
                one.sendto(b"12345678", tuple(to)) if to else one.send(b"12345678")
                answered += one.recv(64) == b"12345678"
            except OSError:
                pass
        return answered

    def connect(self, group, to):
        for one in self.sockets[group]:
            one.connect(tuple(to))
        return len(self.sockets[group])


def answer(groups, request):
    to = request.get("to")
    if "open" in request:
        return groups.open(request["open"], request["kind"], to, request["count"])
    for verb in ("send", "ask", "connect"):
        if verb in request:
            return getattr(groups, verb)(request[verb], to)
    return groups.told(request["fates"])


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    groups = Groups()
    waiting = select.poll()
    waiting.register(sys.stdin, select.POLLIN)
    waiting.register(groups.poll.fileno(), select.POLLIN)
    while True:
        waiting.poll()
        groups.note()
        if not select.select([sys.stdin], [], [], 0)[0]:
            continue
        line = sys.stdin.readline()
        if not line:
            return
        print(json.dumps(answer(groups, json.loads(line))), flush=True)


main()
