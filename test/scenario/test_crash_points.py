# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""junctord is killed at every step of a change; what is left is the old state or the new one.

  one node (lib/node.py)
  VIP 127.96.0.10, 80/TCP  ->  nginx a :8081, b :8082     before, or after: c :8083, d :8084
  VIP 127.96.0.20, 80/TCP  ->  nginx a, b                 added, or not yet
  VIP 127.96.0.30, 80/TCP  ->  nginx other :8085          never touched; its server must not appear

A step is a system call that changes something (tables, disk, answers), or a plain store into a table
that the kernel maps. CI takes eight of each kind for each change, SOAK=1 all of them.
"""

import contextlib
import errno
import http.client
import os
import time

import pytest

from lib.clients import name_at
from lib.crash import CrashAt
from lib.junctord import wait_for
from lib.ledger import Load
from lib.objects import SERVICES, policy, service

VIP, ADDED_VIP, OTHER_VIP = "127.96.0.10", "127.96.0.20", "127.96.0.30"
SERVERS = {name: f"127.0.0.1:{8081 + number}"
           for number, name in enumerate(("a", "b", "c", "d", "other"))}
POINTS = 0 if os.environ.get("SOAK") else 8  # 0: all
FRESH = 100
IDLE_SECONDS = 0.5  # of no further step, after the answer: what follows it has ended
NOBODY = frozenset()


def web(*names):
    return service("web", VIP, 80, [SERVERS[name] for name in names])


class Change:
    """vip: where it shows; old, new: who answers there, NOBODY where the VIP is none."""

    def __init__(self, vip, old, new, send):
        self.vip, self.old, self.new, self.send = vip, frozenset(old), frozenset(new), send


CHANGES = {
    "add": Change(ADDED_VIP, "", "ab", lambda control: control.apply(
        service("added", ADDED_VIP, 80, [SERVERS["a"], SERVERS["b"]]))),
    "backends": Change(VIP, "ab", "cd", lambda control: control.put(web("c", "d"))),
    "delete": Change(VIP, "ab", "", lambda control: control.delete(f"{SERVICES}/web")),
}


@pytest.fixture
def prepared(own_node):
    own_node.servers.http(**SERVERS)
    own_node.control.declare(
        web("a", "b"), service("other", OTHER_VIP, 80, [SERVERS["other"]]),
        *(policy(name, name, algorithm="RoundRobin") for name in ("web", "added")))
    return own_node


def restore(node):
    node.control.declare(web("a", "b"))
    if node.control.get(f"{SERVICES}/added").status == 200:
        node.control.remove("added")


def served(node, vip):
    """Who answers at a VIP now: two turns of RoundRobin, so everybody is seen."""
    names = set()
    for _ in range(4):
        try:
            names.add(name_at(node, vip))
        except OSError as error:
            assert error.errno == errno.EINVAL, f"the blackhole's answer, not {error}"
    return frozenset(names)


def declared(node, change):
    """Who should answer there, as the objects say."""
    by_port = {where: name for name, where in SERVERS.items()}
    for spec in node.control.specs().values():
        if change.vip in spec["addresses"]:
            return frozenset(by_port[one["address"]] for one in spec["backends"])
    return NOBODY


def send(node, change, crash):
    """Sends the change; True when it was acknowledged. Then lets everything that follows happen."""
    acknowledged = False
    with contextlib.suppress(OSError, http.client.HTTPException):
        acknowledged = change.send(node.control).status in (200, 201)
    end = time.monotonic() + IDLE_SECONDS
    while crash.process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return acknowledged


def count_steps(node, change, what):
    with CrashAt(node.junctord, what, 0) as crash:
        assert send(node, change, crash)
    assert not crash.is_dead and crash.steps > 3, crash.steps
    assert served(node, change.vip) == declared(node, change) == change.new
    restore(node)
    return crash.steps


def points(count):
    """All steps, or some of them with the first and the last."""
    if not POINTS or count <= POINTS:
        return range(1, count + 1)
    return sorted({1 + round(number * (count - 1) / (POINTS - 1)) for number in range(POINTS)})


def crash_once(node, change, what, step):
    with CrashAt(node.junctord, what, step) as crash:
        acknowledged = send(node, change, crash)
    if not crash.is_dead:
        node.junctord.kill()  # fewer steps than last time: then after the last one
    where = (step, crash.where, acknowledged)

    while_down = served(node, change.vip)
    assert while_down in (change.old, change.new), (where, while_down)
    node.junctord.start()
    state = declared(node, change)
    assert state in (change.old, change.new), (where, state)
    assert state == change.new or not acknowledged, (where, "acknowledged and lost")
    assert state == change.new or while_down == change.old, (where, "served, and then taken back")
    wait_for(lambda: served(node, change.vip) == state, f"{where}: the kernel serves what is stored")
    status = node.control.status()
    assert status["synced"] and status["degraded"] == [], where
    assert served(node, OTHER_VIP) == {"other"}
    restore(node)


def assert_only_old_and_new(ledger, change):
    assert set(ledger.servers()) <= change.old | change.new, ledger.servers()
    errors = {line["error"] for line in ledger.lines if line["error"]}
    if change.old and change.new:
        assert not errors, errors
    assert all("Invalid argument" in error for error in errors), errors


@pytest.mark.parametrize("what", ["syscalls", "stores"])
@pytest.mark.parametrize("name", CHANGES)
def test_crash_at_every_step(prepared, name, what):
    change = CHANGES[name]
    count = count_steps(prepared, change, what)
    with Load(prepared, change.vip, fresh=FRESH) as load:
        for step in points(count):
            crash_once(prepared, change, what, step)
    assert_only_old_and_new(load.ledger, change)


def test_a_change_is_completed_after_its_commit(prepared):
    """Killed at its first store of the publication: it is on disk, and the kernel has none of it."""
    change = CHANGES["backends"]
    last = count_steps(prepared, change, "stores")
    outcomes = {}
    for step in range(1, last + 1):
        with CrashAt(prepared.junctord, "stores", step) as crash:
            send(prepared, change, crash)
        if not crash.is_dead:
            prepared.junctord.kill()
        before = served(prepared, VIP)
        prepared.junctord.start()
        outcomes[step] = (before == change.new, served(prepared, VIP) == change.new)
        restore(prepared)
    assert (False, False) in outcomes.values(), "killed before the commit: the old state stays"
    assert (False, True) in outcomes.values(), "killed between commit and publication: completed"
    assert (True, True) in outcomes.values(), "killed after the publication: it stays"
    assert (True, False) not in outcomes.values(), outcomes
