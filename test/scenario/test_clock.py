# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The wall clock is set, or junctord stands still for a while: nothing is over because of it.

  one node (lib/node.py)
  junctord, with libfaketime, whose wall clock is what a file says; time that only goes on is left
  nginx a 127.0.0.1:8081, b 127.0.0.2:8081, c 127.0.0.3:8081

  VIP 127.96.7.1  "kept"     clients stay at their backend
      127.96.7.2  "ejected"  a, and a backend that refuses and is out for five minutes
      127.96.7.3  "probed"   three that take half a probe's time for their answers
      127.96.7.4  "drained"  a, which was removed under a connection that may go on for ten minutes
      127.96.7.5  "filed"    what a file declares
  "gone" was removed: its id rests for a minute.
"""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from lib.clients import connect, connect_errno, kept_name, names_at
from lib.files import Files
from lib.junctord import wait_for
from lib.objects import SERVICES, policy, service
from lib.servers import SERVERS
from machine import run

SLOW = [f"127.0.1.{host}:8082" for host in (1, 2, 3)]
REFUSES = "127.0.0.9:8081"
DAY = 86400
PROBE_SECONDS = 3
ANSWER_SECONDS = PROBE_SECONDS / 2
REST_SECONDS = 60  # of an id that was in use
STILL_SECONDS = 60 if os.environ.get("SOAK") else 7  # longer than a client may take for its head
LIBRARY = "/usr/lib/{}/faketime/libfaketimeMT.so.1"
HEAD = b"GET /v1/status HTTP/1.1\r\nHost: junctor\r\n"
VIP = {name: f"127.96.7.{host}" for host, name in
       enumerate(["kept", "ejected", "probed", "drained", "filed"], 1)}


class Clock:
    """The wall clock of one program."""

    def __init__(self, path):
        self.path = path
        self.set(0)

    def set(self, seconds):
        """So many ahead of everybody else's."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n", encoding="ascii")
        os.rename(fresh, self.path)

    def words(self):
        """What becomes a program with this clock."""
        library = LIBRARY.format(f"{os.uname().machine}-linux-gnu")
        return ["env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={self.path}",
                "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"]


class World:
    """All that has a time of its own, and whether it is still there."""

    def __init__(self, node):
        self.node, self.files, self.rests_since = node, Files(node).make(), 0
        self.clock = Clock(node.folder / "clock")
        node.servers.http(**SERVERS)
        for address in SLOW:
            node.servers.moody("slow", address.partition(":")[0]).tell("delay", ANSWER_SECONDS)
        self.files.write("filed.yaml", self.web("filed", "a"))
        self.start()
        self.begin()

    def start(self):
        self.rests_since = time.monotonic()
        self.node.junctord.start(*self.clock.words())

    @staticmethod
    def web(name, *backends, vip=None):
        return service(name, vip or VIP[name], 80, [SERVERS.get(one, one) for one in backends])

    def begin(self):
        self.node.control.declare(
            self.web("gone", "a", vip="127.96.7.9"),
            self.web("kept", "a", "b", "c"), policy("kept", "kept", affinity={"type": "ClientIP"}),
            self.web("ejected", "a", REFUSES),
            policy("ejected", "ejected", outlier={"consecutiveFailures": 3,
                                                  "baseEjectionSeconds": 300}),
            self.web("probed", *SLOW),
            policy("probed", "probed", probe={
                "type": "HTTP", "path": "/", "intervalSeconds": PROBE_SECONDS,
                "timeoutSeconds": PROBE_SECONDS, "failureThreshold": 1}),
            self.web("drained", "a"), policy("drained", "drained", drainSeconds=600))
        (self.client,) = names_at(self.node, VIP["kept"], count=3)
        assert sum(connect_errno(self.node, VIP["ejected"]) != 0 for _ in range(60)) == 3
        self.kept = connect(self.node, VIP["drained"], 80)
        assert kept_name(self.kept) == "a", "nginx waits a minute for a first question, no longer"
        self.node.control.declare(self.web("drained", "b"))
        self.rests, self.rests_since = self.ids()["gone"], time.monotonic()
        self.node.control.remove("gone")
        wait_for(lambda: "gone" not in self.ids(), "its name is removed")
        self.events = self.counted("junctor_backend_events_total")
        self.failures = self.counted("junctor_probes_total")["failure"]

    def close(self):
        self.kept.close()

    def counted(self, name):
        return {tuple(labels.values())[0]: value for found, labels, value
                in self.node.control.metrics() if found == name}

    def ids(self):
        """{name of a service: its id in the kernel}"""
        pin, = Path(self.node.pins).glob("v*/jn_names")
        rows = json.loads(run("bpftool", "-j", "map", "dump", "pinned", pin))
        whole = [row["formatted"] for row in rows if "formatted" in row]  # one may just have gone
        return {row["value"]["name"]: row["key"] for row in whole}

    def await_probes(self):
        """Several rounds: probing goes on, at its pace."""
        before = self.counted("junctor_probes_total")["success"]
        wait_for(lambda: self.counted("junctor_probes_total")["success"] >= before + 3,
                 "nobody is asked any more")

    def await_file(self, server):
        self.files.write("filed.yaml", self.web("filed", server))
        wait_for(lambda: connect_errno(self.node, VIP["filed"]) == 0 and
                 set(names_at(self.node, VIP["filed"])) == {server}, "the file is read")

    def check(self):
        """Nothing is over, and what goes on goes on."""
        node = self.node
        self.await_probes()
        assert names_at(node, VIP["kept"], count=20) == {self.client: 20}
        assert names_at(node, VIP["ejected"], count=30) == {"a": 30}
        status = node.control.get(f"{SERVICES}/probed").json["status"]
        assert {one["state"] for one in status["endpoints"]} == {"Up"}, status
        assert kept_name(self.kept) == "a"
        assert names_at(node, VIP["drained"], count=3) == {"b": 3}
        for server in ("b", "a"):
            self.await_file(server)
        assert self.counted("junctor_probes_total")["failure"] == self.failures
        assert node.control.status()["degraded"] == []

    def check_ids(self):
        """What is new gets no id that rests."""
        for number in range(20):
            name = f"new{number}"
            self.node.control.declare(self.web(name, "a", vip="127.96.7.20"))
            assert self.ids()[name] != self.rests or \
                time.monotonic() - self.rests_since >= REST_SECONDS
            self.node.control.remove(name)

    def wall_clock(self):
        """When junctord was started, as it sees the wall clock: it moves with it."""
        return self.node.control.counter("process_start_time_seconds")


@pytest.fixture
def world(bare_node):
    made = World(bare_node)
    yield made
    made.close()


@pytest.mark.parametrize("step", [DAY, -DAY], ids=["a day on", "a day back"])
def test_the_wall_clock_is_set(world, step):
    before = world.wall_clock()
    world.clock.set(step)
    wait_for(lambda: abs(world.wall_clock() - before - step) < 60, "its clock is set")
    world.check()
    world.check_ids()
    assert world.counted("junctor_backend_events_total") == world.events
    # It is set back, and junctord is another one: its first look at everything is at another time.
    world.node.junctord.kill()
    world.clock.set(0)
    world.start()
    world.failures = 0
    world.check()
    world.check_ids()


def test_junctord_stands_still(world):
    world.await_probes()
    time.sleep(1.5 * ANSWER_SECONDS)  # the one that was answered just now is being asked again
    with world.node.control.open(timeout=30) as half:
        half.sendall(HEAD)
        world.node.control.status()  # junctord has read it
        os.kill(world.node.junctord.pid, signal.SIGSTOP)
        try:
            time.sleep(STILL_SECONDS / 2)
            half.sendall(b"\r\n")
            time.sleep(STILL_SECONDS / 2)
            assert names_at(world.node, VIP["kept"], count=5) == {world.client: 5}
        finally:
            os.kill(world.node.junctord.pid, signal.SIGCONT)
        assert half.recv(12) == b"HTTP/1.1 200", "the rest of its question was there in time"
    world.check()
    assert world.counted("junctor_backend_events_total") == world.events
