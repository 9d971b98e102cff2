# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bounded load with a ledger of every attempt; a program, started by ledger.py in a node.

Usage: load.py LEDGER PLAN      PLAN: {"url": [address, port], "idle": N, "busy": N, "fresh": N}

  idle    connections that are opened at the start, used once then and once more at the end
  busy    connections that ask for 64 KiB every 50 ms, each the same connection all the time
  fresh   new connections a second, one request each

Says "ready" when all kept connections are up, and ends when its input ends. An attempt that is late
is made up for, so that what was planned is known: every line of the ledger is one attempt:
{kind, begin, connected, first, last (monotonic seconds), sha256, server, error}.
"""

import asyncio
import hashlib
import json
import resource
import sys
import time

INTERVAL = 0.05
TIMEOUT = 10


class Load:
    def __init__(self, plan):
        self.plan = plan
        self.lines = []
        self.planned = 0
        self.stopping = asyncio.Event()

    async def attempt(self, kind, path, connection=None):
        """One request on a connection, or on a new one, and its line."""
        line = {"kind": kind, "begin": time.monotonic(), "error": None}
        self.lines.append(line)
        try:
            await asyncio.wait_for(self.request(line, path, connection), TIMEOUT)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
            line["error"] = repr(error)

    async def request(self, line, path, connection):
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

    async def every(self, seconds, work):
        """Calls work so often, counted as planned, until the end; late calls are made up for."""
        begin, turns = time.monotonic(), 0
        while not self.stopping.is_set():
            self.planned += 1
            turns += 1
            await work()
            pause = begin + turns * seconds - time.monotonic()
            if pause > 0:
                try:
                    await asyncio.wait_for(self.stopping.wait(), pause)
                except asyncio.TimeoutError:
                    pass

    async def fresh(self):
        pending = set()

        async def begin():
            task = asyncio.create_task(self.attempt("fresh", "/"))
            pending.add(task)
            task.add_done_callback(pending.discard)

        await self.every(1 / self.plan["fresh"], begin)
        await asyncio.gather(*pending)

    async def busy(self, connection):
        await self.every(INTERVAL, lambda: self.attempt("busy", "/big", connection))

    async def idle(self, connection):
        for moment in (None, self.stopping):
            if moment:
                await moment.wait()
            self.planned += 1
            await self.attempt("idle", "/", connection)

    async def open(self, kind):
        self.planned += 1
        line = {"kind": f"open {kind}", "begin": time.monotonic(), "error": None}
        self.lines.append(line)
        try:
            return await asyncio.wait_for(asyncio.open_connection(*self.plan["url"]), TIMEOUT)
        except (OSError, asyncio.TimeoutError) as error:
            line["error"] = repr(error)
            return None

    async def run(self):
        asyncio.get_running_loop().add_reader(sys.stdin, self.stopping.set)
        kept = [(work, await self.open(work.__name__))
                for work in [self.idle] * self.plan["idle"] + [self.busy] * self.plan["busy"]]
        tasks = [asyncio.create_task(work(connection)) for work, connection in kept if connection]
        if self.plan["fresh"]:
            tasks.append(asyncio.create_task(self.fresh()))
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
