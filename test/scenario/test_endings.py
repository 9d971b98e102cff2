# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sockets whose backend is gone.

  node (lib/node.py)                        leaves, 20 namespaces
  junctord                                  no junctord; programs in the node's cgroup
  echo  10.1.0.1:7 10.1.0.2:7 10.1.0.3:7    veth to the node, which is the way to 10.1.0.0/24

  VIP 10.96.0.40  7/TCP "stream", 7/UDP "datagram"  ->  the echo servers

A fate is what a program learns that waits for its socket; the holders ask for nothing themselves.
"""

import collections
import contextlib
import errno
import http.client
import os
import socket
import subprocess
import time

import pytest

from lib.crash import CrashAt
from lib.junctord import wait_for
from lib.kernel import pace
from lib.node import Factory
from lib.objects import POLICIES, policy, service, udp
from lib.sockets import Holder, each, leaf
from machine import run

SOAK = bool(os.environ.get("SOAK"))
LEAVES = 20
COUNT = 500 if SOAK else 5  # of each kind, in each leaf
FEW = 5
VIP = "10.96.0.40"
GONE, STAYS, ELSEWHERE = "10.1.0.1", "10.1.0.2", "10.1.0.3"
END_SECONDS = 1.0 * pace()
DRAIN_SECONDS = 8 if SOAK else 2
STUCK_SECONDS = 3.0 + END_SECONDS

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def world(node):
    for address in (GONE, STAYS, ELSEWHERE):
        server = node.python("echo.py", address, 7, text=True, stdout=subprocess.PIPE)
        assert server.stdout.readline() == "ready\n"


@pytest.fixture(scope="module")
def leaves(node, module_machine):
    return [leaf(node, module_machine, f"leaf{i}") for i in range(LEAVES)]


@pytest.fixture
def holders(node, leaves):
    made = [Holder(node, space) for space in leaves]
    yield made
    for one in made:
        one.process.stdin.close()
        one.process.wait(10)


@pytest.fixture
def holder(node):
    """In the node's own namespace."""
    one = Holder(node)
    yield one
    one.process.stdin.close()
    one.process.wait(10)


def declare(node, *backends, drain=None):
    """Both services with these backends; every test begins with it."""
    ports = [f"{one}:7" for one in backends]
    policies = [] if drain is None else [policy("drain", "stream", drainSeconds=drain)]
    node.control.declare(service("stream", VIP, 7, ports),
                         service("datagram", VIP, udp(7), ports), *policies)


def remove_policy(node):
    assert node.control.delete(f"{POLICIES}/drain").status == 200


def ended(node, protocol, reason):
    return node.control.counter("junctor_sockets_ended_total", protocol=protocol, reason=reason)


def test_connected_udp_is_ended_in_every_namespace(node, holders):
    declare(node, GONE)
    each(holders, open="stale", kind="udp", to=[VIP, 7], count=COUNT)
    each(holders, open="tcp", kind="tcp", to=[VIP, 7], count=COUNT)
    each(holders, open="direct", kind="udp", to=[GONE, 7], count=COUNT)
    each(holders, open="unconnected", kind="udp", to=None, count=COUNT)
    assert each(holders, ask="unconnected", to=[VIP, 7]) == [COUNT] * LEAVES
    declare(node, GONE, STAYS)
    each(holders, open="all", kind="udp", to=[VIP, 7], count=COUNT)
    before = ended(node, "UDP", "BackendGone")
    declare(node, STAYS)
    removed = time.monotonic()
    for one in holders:
        wait_for(lambda one=one: one.fates("stale") == {"ECONNABORTED": COUNT}, "UDP is ended")
    late = max(one.told_at("stale", "ECONNABORTED") for one in holders) - removed
    assert late <= END_SECONDS, late
    wait_for(lambda: ended(node, "UDP", "BackendGone") >= before + COUNT * LEAVES, "counted")
    time.sleep(1)
    # Those of "all" that chose the other backend, and everything that is not connected UDP of a gone one.
    kept = [one.fates("all").get("alive", 0) for one in holders]
    assert 0 < sum(kept) < COUNT * LEAVES
    assert each(holders, ask="all") == kept
    assert each(holders, ask="direct") == [COUNT] * LEAVES
    assert each(holders, ask="tcp") == [COUNT] * LEAVES
    assert each(holders, ask="unconnected", to=[VIP, 7]) == [COUNT] * LEAVES
    assert ended(node, "UDP", "BackendGone") == before + 2 * COUNT * LEAVES - sum(kept)
    assert node.control.counter("junctor_sockets_unreachable") == 0


def test_tcp_is_ended_at_its_drain_deadline(node, holders):
    declare(node, GONE, drain=DRAIN_SECONDS)
    each(holders, open="stale", kind="tcp", to=[VIP, 7], count=COUNT)
    each(holders, open="direct", kind="tcp", to=[GONE, 7], count=FEW)
    before = ended(node, "TCP", "DrainDeadline")
    asked = time.monotonic()
    declare(node, STAYS, drain=DRAIN_SECONDS)
    removed = time.monotonic()
    each(holders, open="other", kind="tcp", to=[VIP, 7], count=COUNT)
    time.sleep(0.5)
    assert each(holders, ask="stale") == [COUNT] * LEAVES, "until the deadline they are served"
    for one in holders:
        wait_for(lambda one=one: one.fates("stale") == {"ECONNABORTED": COUNT}, "TCP is ended")
    times = [one.told_at("stale", "ECONNABORTED") for one in holders]
    assert min(times) >= asked + DRAIN_SECONDS
    assert max(times) <= removed + DRAIN_SECONDS + END_SECONDS, max(times) - removed
    wait_for(lambda: ended(node, "TCP", "DrainDeadline") == before + COUNT * LEAVES, "counted")
    assert each(holders, ask="direct") == [FEW] * LEAVES
    assert each(holders, ask="other") == [COUNT] * LEAVES
    remove_policy(node)


def test_drain_seconds_outlive_the_service_and_its_policy(node, holder):
    declare(node, GONE, drain=1)
    holder.open("stale", "tcp", [VIP, 7])
    node.control.remove("stream", "datagram", f"{POLICIES}/drain")
    wait_for(lambda: holder.fates("stale") == {"ECONNABORTED": 1}, "TCP is ended")


def test_drain_seconds_hold_for_a_service_that_was_declared_again(node, holder):
    """Its id is another one; the connections are still those of the old one."""
    declare(node, GONE, drain=60)
    holder.open("stale", "tcp", [VIP, 7], COUNT)
    node.control.remove("stream", "datagram")
    declare(node, GONE, STAYS, drain=60)
    time.sleep(1.5)  # all is well, and nothing is looked at any more
    declare(node, GONE, STAYS, drain=1)
    removed = time.monotonic()
    declare(node, STAYS, drain=1)
    wait_for(lambda: holder.fates("stale") == {"ECONNABORTED": COUNT}, "TCP is ended")
    assert holder.told_at("stale", "ECONNABORTED") >= removed + 1
    remove_policy(node)


def test_a_healthy_connection_to_a_removed_backend_lives(node, holder):
    declare(node, GONE)
    holder.open("healthy", "tcp", [VIP, 7], COUNT)
    holder.open("idle", "tcp", [VIP, 7], COUNT)
    declare(node, STAYS)
    for _ in range(10):
        assert holder.ask(ask="healthy") == COUNT
        time.sleep(0.5)
    assert holder.fates("idle") == {"alive": COUNT}
    node.control.remove("stream", "datagram")
    time.sleep(1)
    assert holder.ask(ask="idle") == COUNT


def test_a_stuck_connection_is_ended(node, module_machine):
    """An unplugged backend: its veth is down, so nothing is acknowledged and nothing refused."""
    rack = module_machine.namespace("rack")
    address = module_machine.link(node.space, rack)
    server = node.python("echo.py", address, 7, text=True, stdout=subprocess.PIPE, space=rack)
    assert server.stdout.readline() == "ready\n"
    one, late = Holder(node), Holder(node)
    before = ended(node, "TCP", "NoProgress")
    node.control.declare(service("stream", VIP, 7, [f"{address}:7"]))
    for who in (one, late):
        who.open("stuck", "tcp", [VIP, 7], COUNT)
    one.open("quiet", "tcp", [VIP, 7], COUNT)
    assert one.ask(ask="stuck") == COUNT
    rack.run("ip", "link", "set", f"s{module_machine.links}", "down")
    assert one.ask(send="stuck") == COUNT
    time.sleep(1)
    node.control.declare(service("stream", VIP, 7, []))
    removed = time.monotonic()
    wait_for(lambda: "alive" not in one.fates("stuck"), "stuck TCP is ended")
    assert one.fates("stuck") == {"ECONNABORTED": COUNT}
    took = one.told_at("stuck", "ECONNABORTED") - removed
    assert took <= STUCK_SECONDS, took
    assert one.fates("quiet") == {"alive": COUNT}
    # One that begins to send later is watched all the while.
    assert late.ask(send="stuck") == COUNT
    wait_for(lambda: "alive" not in late.fates("stuck"), "stuck TCP is ended")
    wait_for(lambda: ended(node, "TCP", "NoProgress") == before + 2 * COUNT, "counted")
    node.control.remove("stream")


def test_a_backend_that_is_still_declared_keeps_its_stuck_connections(node, module_machine):
    """TCP decides about those: the backend may come back."""
    rack = module_machine.namespace("rack2")
    address = module_machine.link(node.space, rack)
    server = node.python("echo.py", address, 7, text=True, stdout=subprocess.PIPE, space=rack)
    assert server.stdout.readline() == "ready\n"
    one = Holder(node)
    node.control.declare(service("stream", VIP, 7, [f"{address}:7", f"{STAYS}:7"]),
                         service("extra", "10.96.0.41", 7, [f"{GONE}:7"]))
    one.open("stuck", "tcp", [VIP, 7], 8)
    rack.run("ip", "link", "set", f"s{module_machine.links}", "down")
    assert one.ask(send="stuck") == 8
    node.control.declare(service("stream", VIP, 7, [
        {"address": f"{address}:7", "terminating": True}, f"{STAYS}:7"]))
    node.control.remove("extra")  # something to look for
    time.sleep(STUCK_SECONDS + 0.5)
    assert one.fates("stuck") == {"alive": 8}
    rack.run("ip", "link", "set", f"s{module_machine.links}", "up")
    node.control.remove("stream")


def test_a_socket_connected_elsewhere_meanwhile_is_left(node, holder):
    declare(node, GONE)
    for group in ("direct", "again"):
        holder.open(group, "udp", [VIP, 7], COUNT)
    assert holder.ask(connect="direct", to=[ELSEWHERE, 7]) == COUNT
    declare(node, GONE, STAYS)
    declare(node, STAYS, GONE)
    declare(node, STAYS)
    holder.ask(connect="again", to=[VIP, 7])
    time.sleep(1)
    assert holder.ask(ask="direct") == COUNT
    fates = holder.fates("again")
    assert set(fates) <= {"alive", "ECONNABORTED"}, fates
    assert holder.ask(ask="again") == COUNT, "once ended it is connected anew"
    node.control.remove("stream", "datagram")


def test_a_backend_that_comes_back_under_another_id_is_not_gone(node, holder):
    """Removed and declared again while junctord does not run: the tables show another endpoint."""
    declare(node, GONE)
    holder.open("tcp", "tcp", [VIP, 7], COUNT)
    holder.open("udp", "udp", [VIP, 7], COUNT)
    node.control.declare(service("renamed", "10.96.0.42", 7, [f"{STAYS}:7"]))
    answer = node.control.apply(service("stream", "10.96.0.43", 7, [f"{GONE}:7"]),
                                service("datagram", "10.96.0.43", udp(7), [f"{GONE}:7"]),
                                service("renamed", VIP, 7, [f"{GONE}:7"]),
                                service("renamed-udp", VIP, udp(7), [f"{GONE}:7"]))
    assert answer.status == 200, answer
    node.control.remove("stream", "datagram")
    time.sleep(1)
    assert holder.fates("udp") == {"alive": COUNT}
    assert holder.ask(ask="udp") == COUNT and holder.ask(ask="tcp") == COUNT
    node.control.remove("renamed", "renamed-udp")
    wait_for(lambda: holder.fates("udp") == {"ECONNABORTED": COUNT}, "now it is gone")


def crash_points(node):
    """Stores into tables while a backend is removed: the last ones, from the publication on."""
    declare(node, GONE)
    with CrashAt(node.junctord, "stores", 0) as crash:
        declare(node)
        time.sleep(0.5)
    return range(1, crash.steps + 1)[-40 if SOAK else -6:]


def has_backends(node):
    return [bool(spec["backends"]) for spec in node.control.specs().values()]


def test_a_crash_between_removal_and_scan_forgets_nothing(own_node):
    """Whatever was committed when junctord died: the next one ends what that left behind."""
    node = own_node
    server = node.python("echo.py", GONE, 7, text=True, stdout=subprocess.PIPE)
    assert server.stdout.readline() == "ready\n"
    fates = collections.Counter()
    for step in crash_points(node):
        declare(node, GONE, drain=1)
        holder = Holder(node)
        holder.open("udp", "udp", [VIP, 7])
        holder.open("tcp", "tcp", [VIP, 7])
        with CrashAt(node.junctord, "stores", step) as crash:
            with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
                declare(node, drain=1)
            time.sleep(0.3)
        assert crash.is_dead
        node.junctord.start()
        fate = "alive" if all(has_backends(node)) else "ECONNABORTED"
        for group in ("udp", "tcp"):
            wait_for(lambda group=group: holder.fates(group) == {fate: 1}, f"{step}: {group}")
        fates[fate] += 1
    assert fates["ECONNABORTED"], "no point lay behind the commit"


@pytest.fixture
def island(node, machine, module_machine):
    """A namespace, and a UDP socket made there by a process that has ended."""
    def make(name):
        space = leaf(node, module_machine, name)
        factory = Factory(node, space=space)
        made = factory.make(socket.AF_INET, socket.SOCK_DGRAM)
        machine.callback(made.close)
        made.connect((VIP, 7))
        made.setblocking(False)
        factory.ours.close()
        factory.process.wait(10)
        return space, made
    return make


def fate_of(made):
    try:
        made.recv(1)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "data"


def test_a_namespace_is_entered_through_whatever_holds_it(node, island):
    declare(node, GONE)
    _, mounted = island("mounted")
    space, opened = island("opened")
    with open(space.path, "rb"):
        run("ip", "netns", "del", space.name)
        declare(node, STAYS)
        for made in (mounted, opened):
            wait_for(lambda made=made: fate_of(made) == "ECONNABORTED", "it is ended")
    node.control.remove("stream", "datagram")


def test_sockets_that_cannot_be_reached_are_counted(node, island):
    declare(node, GONE)
    space, lost = island("lost")
    run("ip", "netns", "del", space.name)  # the socket alone holds it now
    declare(node, STAYS)
    wait_for(lambda: node.control.counter("junctor_sockets_unreachable") == 1, "it is counted")
    assert fate_of(lost) == "EAGAIN"
    assert "cannot be entered" in node.junctord.log()
    lost.close()
    node.control.remove("stream", "datagram")
    wait_for(lambda: node.control.counter("junctor_sockets_unreachable") == 0, "it is gone")


def test_mptcp_is_ended_as_tcp_is(node):
    declare(node, GONE, drain=1)
    with node.open_socket(proto=socket.IPPROTO_MPTCP) as client:
        client.connect((VIP, 7))
        client.sendall(b"12345678")
        assert client.recv(8) == b"12345678"
        declare(node, STAYS, drain=1)
        with pytest.raises(ConnectionError):
            while client.recv(8):
                pass
    remove_policy(node)


def test_what_junctor_ends_is_no_failure_of_the_backend(node, holder):
    """Two services share it: connections of one are ended before a byte came back."""
    outlier = {"consecutiveFailures": 1, "baseEjectionSeconds": 60}
    node.control.declare(
        service("stream", VIP, 7, [f"{GONE}:7", f"{STAYS}:7"]),
        service("sharing", "10.96.0.44", 7, [f"{GONE}:7", f"{STAYS}:7"]),
        policy("drain", "stream", drainSeconds=0, outlier=outlier),
        policy("sharing", "sharing", outlier=outlier))
    holder.open("silent", "tcp", [VIP, 7], 16)
    node.control.declare(service("stream", VIP, 7, [f"{STAYS}:7"]))
    wait_for(lambda: "ECONNABORTED" in holder.fates("silent"), "they are ended")
    assert node.control.counter("junctor_backend_events_total", event="Ejected") == 0
    node.control.remove("stream", "sharing", f"{POLICIES}/drain", f"{POLICIES}/sharing")
