# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bounded load with a ledger of every attempt; a program, started by ledger.py in a node.

Usage: load.py LEDGER PLAN      PLAN: {"url": [address, port], "idle": N, "busy": N, "fresh": N,
                                       "udp": [address, port], "asked": N, "sent": N}

  idle    connections that are opened at the start, used once then and once more at the end
  busy    connections that ask for 64 KiB every 50 ms, each the same connection all the time
  fresh   new connections a second, one request each
  asked   datagrams a second, each of a new socket that is connected; a server sends them back
  sent    datagrams a second of one socket that never is; both may be left out

Says "ready" when all kept connections are up, and ends when its input ends. An attempt that is late
is made up for, so that what was planned is known: every line of the ledger is one attempt:
{kind, begin, connected, first, last (monotonic seconds), sha256, server, error}.
"""

import asyncio
import hashlib
import json
import os
import resource
import socket
import sys
import time

INTERVAL = 0.05
TIMEOUT = 10


def datagram_socket():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


class Datagrams:
    """A socket that is never connected, and those who wait for an answer there."""

    def __init__(self):
        self.socket = datagram_socket()
        self.waiting = {}
        asyncio.get_running_loop().add_reader(self.socket, self.receive)

    def receive(self):
        answer, source = self.socket.recvfrom(2048)
        if answer in self.waiting:
            self.waiting.pop(answer).set_result(source)

    async def exchange(self, text, place):
        """Where the answer came from."""
        self.waiting[text] = asyncio.get_running_loop().create_future()
        self.socket.sendto(text, place)
        return await self.waiting[text]


class Load:
    def __init__(self, plan):
        self.plan = plan
        self.lines = []
        self.planned = 0
        self.stopping = asyncio.Event()
        self.stopped = None  # when

    async def attempt(self, kind, request, *how):
        """One request, on what is given or on what it makes, and its line."""
        line = {"kind": kind, "begin": time.monotonic(), "error": None}
        self.lines.append(line)
        try:
            await asyncio.wait_for(request(line, *how), TIMEOUT)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
            line["error"] = repr(error)

    async def request(self, line, path, connection=None):
        reader, writer = connection or await asyncio.open_connection(*self.plan["url"])
        line["connected"] = time.monotonic()
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: load\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            line["first"] = time.monotonic()
            fields = dict(text.split(": ", 1) for text in head.decode().splitlines()[1:] if text)
            body = await reader.readexactly(int(fields["Content-Length"]))
            line["last"] = time.monotonic()
            line["sha256"] = hashlib.sha256(body).hexdigest()
            line["server"] = fields.get("Server-Name") or body.decode().strip()
            if not head.startswith(b"HTTP/1.1 200"):
                line["error"] = head.decode().splitlines()[0]
        finally:
            if not connection:
                writer.close()

    async def asked(self, line):
        loop, place, text = asyncio.get_running_loop(), tuple(self.plan["udp"]), os.urandom(16)
        with datagram_socket() as asking:
            await loop.sock_connect(asking, place)
            await loop.sock_sendall(asking, text)
            answer, source = await loop.sock_recvfrom(asking, 2048)
        line["first"] = line["last"] = time.monotonic()
        if (answer, source) != (text, place):
            line["error"] = f"{answer} from {source}"

    async def sent(self, line, kept):
        text = os.urandom(16)
        line["server"] = await kept.exchange(text, tuple(self.plan["udp"]))
        line["first"] = line["last"] = time.monotonic()
        if line["server"] != tuple(self.plan["udp"]):
            line["error"] = "answered from elsewhere"

    async def every(self, seconds, work, owes=False):
        """Calls work so often until the end; late calls are made up for, with owes after it, too."""
        begin, turns = time.monotonic(), 0
        while not self.stopping.is_set() or owes and begin + turns * seconds < self.stopped:
            turns += 1
            await work()
            pause = begin + turns * seconds - time.monotonic()
            if pause > 0 and not self.stopping.is_set():
                try:
                    await asyncio.wait_for(self.stopping.wait(), pause)
                except asyncio.TimeoutError:
                    pass

    async def paced(self, kind, *how):
        """So many a second as are planned of this kind, whether those before have ended or not."""
        pending, begin = set(), time.monotonic()

        async def start():
            task = asyncio.create_task(self.attempt(kind, *how))
            pending.add(task)
            task.add_done_callback(pending.discard)

        await self.every(1 / self.plan[kind], start, owes=True)
        self.planned += int((self.stopped - begin) * self.plan[kind])
        await asyncio.gather(*pending)

    async def busy(self, connection):
        async def ask():
            self.planned += 1
            await self.attempt("busy", self.request, "/big", connection)
        await self.every(INTERVAL, ask)

    async def idle(self, connection):
        for moment in (None, self.stopping):
            if moment:
                await moment.wait()
            self.planned += 1
            await self.attempt("idle", self.request, "/", connection)

    async def open(self, kind):
        self.planned += 1
        line = {"kind": f"open {kind}", "begin": time.monotonic(), "error": None}
        self.lines.append(line)
        try:
            return await asyncio.wait_for(asyncio.open_connection(*self.plan["url"]), TIMEOUT)
        except (OSError, asyncio.TimeoutError) as error:
            line["error"] = repr(error)
            return None

    def stop(self):
        if not self.stopping.is_set():
            self.stopped = time.monotonic()
            self.stopping.set()

    async def run(self):
        asyncio.get_running_loop().add_reader(sys.stdin, self.stop)
        kept = [(work, await self.open(work.__name__))
                for work in [self.idle] * self.plan["idle"] + [self.busy] * self.plan["busy"]]
        works = [work(connection) for work, connection in kept if connection]
        for kind, how in (("fresh", (self.request, "/")), ("asked", (self.asked,)),
                          ("sent", (self.sent, Datagrams()))):
            if self.plan.get(kind):
                works.append(self.paced(kind, *how))
        tasks = [asyncio.create_task(work) for work in works]
        print("ready", flush=True)
        await asyncio.gather(*tasks)


async def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = Load(json.loads(sys.argv[2]))
    await load.run()
    with open(sys.argv[1], "w", encoding="utf-8") as ledger:
        json.dump({"planned": load.planned, "lines": load.lines}, ledger)


asyncio.run(main())
