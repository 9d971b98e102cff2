# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Backends that are unplugged: no refusal, no answer, only silence.

  node (lib/node.py)                 racks a, b, c, d: a namespace each
  junctord, the clients  ---veth---  moody server on port 8082, which says its rack's name
                                     unplugged: the rack's end of the veth is down

  VIP 10.96.7.x, 80/TCP  ->  the racks.  No namespace has a default route.

Each test has racks and a service of its own: what is known of a backend outlives a service.
"""

import collections
import itertools
import subprocess

import pytest

from lib.clients import http_name
from lib.junctord import wait_for
from lib.objects import POLICIES, SERVICES, policy, service

NAMES = ["a", "b", "c", "d"]
PATIENCE_SECONDS = 1.5  # of a client: longer than until the second SYN
FAILURES = 3
OUTLIER = {"consecutiveFailures": FAILURES, "windowSeconds": 60, "baseEjectionSeconds": 300}
PROBE = {"type": "TCP", "intervalSeconds": 1, "failureThreshold": 2}
numbers = itertools.count(10)


class Rack:
    def __init__(self, node, machine, name):
        self.space, self.name = machine.namespace(f"rack{machine.links}"), name
        self.address = machine.link(node.space, self.space)
        self.device = f"s{machine.links}"
        server = node.python("moody.py", self.address, 8082, name, space=self.space,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert server.stdout.readline() == b"ready\n"

    @property
    def backend(self):
        return f"{self.address}:8082"

    def unplug(self):
        self.space.run("ip", "link", "set", self.device, "down")

    def make_known(self, node):
        """Its link address is there whatever ARP says."""
        node.ip("neighbor", "replace", self.address, "lladdr", "02:00:00:00:00:01",
                "dev", self.device.replace("s", "c"), "nud", "permanent")

    def plug(self):
        self.space.run("ip", "link", "set", self.device, "up")


class Web:
    """The service of one test."""

    def __init__(self, node, racks):
        self.node, self.racks = node, racks
        self.vip = f"10.96.7.{next(numbers)}"
        self.name = f"web-{self.vip.replace('.', '-')}"

    def declare(self, names, **rules):
        self.node.control.declare(
            service(self.name, self.vip, 80, [self.racks[name].backend for name in names]),
            policy(self.name, self.name, **rules))

    def ask(self):
        """Who answers, or None: the connection was given up, or found no way."""
        with self.node.tcp() as client:
            client.settimeout(PATIENCE_SECONDS)
            if client.connect_ex((self.vip, 80)):
                return None
            client.settimeout(5)
            return http_name(client)

    def ask_often(self, count):
        return collections.Counter(self.ask() for _ in range(count))

    def states(self):
        """{name of a rack: its state}; who is neither probed nor out is not there"""
        names = {rack.backend: name for name, rack in self.racks.items()}
        status = self.node.control.get(f"{SERVICES}/{self.name}").json["status"]
        return {names[one["address"]]: one["state"] for one in status.get("endpoints", [])}

    def out(self, state):
        return {name for name, found in self.states().items() if found == state}

    def events(self):
        return {labels["event"]: value for name, labels, value in self.node.control.metrics()
                if name == "junctor_backend_events_total"}


@pytest.fixture
def web(node, module_machine):
    made = Web(node, {name: Rack(node, module_machine, name) for name in NAMES})
    yield made
    node.control.remove(made.name, f"{POLICIES}/{made.name}")


def test_an_unplugged_backend_is_ejected_by_so_many_failures_and_comes_back(web):
    web.declare("abc", outlier={**OUTLIER, "baseEjectionSeconds": 1, "maxEjectionSeconds": 1})
    assert web.ask_often(60).keys() == {"a", "b", "c"}
    web.racks["b"].unplug()
    before = web.events()
    for _ in range(200):  # one after the other, so that no other one is under way
        if web.events()["Ejected"] > before["Ejected"]:
            break
        web.ask()
    assert web.events()["Ejected"] == before["Ejected"] + 1
    web.racks["b"].plug()
    wait_for(lambda: web.ask_often(10)["b"], "it never came back", 30)
    assert web.events()["Readmitted"] == before["Readmitted"] + 1
    assert None not in web.ask_often(40)


@pytest.mark.parametrize("is_known", [True, False], ids=["neighbour known", "neighbour unknown"])
def test_nobody_meets_an_unplugged_backend_after_it_was_ejected(web, is_known):
    """Where nobody answers ARP the SYN waits, and is never sent again: that did not count."""
    web.declare("abc", outlier=OUTLIER)
    web.racks["b"].unplug()
    if is_known:
        web.racks["b"].make_known(web.node)
    names = web.ask_often(60)
    assert names[None] == FAILURES, names
    assert names.keys() == {"a", "c", None}
    assert web.states() == {"b": "Ejected"}


def test_a_probe_leaves_an_unplugged_backend_after_its_threshold(web):
    web.declare("abc", probe=PROBE)
    counter = web.node.control.counter
    wait_for(lambda: counter("junctor_probes_total", result="success") >= 6, "they are asked")
    before = counter("junctor_probes_total", result="failure")
    web.racks["b"].unplug()

    def is_down():
        failures = counter("junctor_probes_total", result="failure") - before
        down = web.out("Down")
        assert "b" in down or failures < PROBE["failureThreshold"], "one probe more than promised"
        return down == {"b"}

    wait_for(is_down, "it is never down", 30)
    assert web.ask_often(40).keys() == {"a", "c"}
    web.racks["b"].plug()
    wait_for(lambda: not web.out("Down"), "it never came back", 30)
    assert web.ask_often(60).keys() == {"a", "b", "c"}


def test_with_both_the_first_to_know_decides(web):
    """Connections find out while probes rest; the probes know when it is over."""
    web.declare("abc", outlier=OUTLIER, probe={**PROBE, "intervalSeconds": 3600})
    web.racks["b"].unplug()
    names = web.ask_often(60)
    assert names[None] == FAILURES, names
    web.declare("abc", outlier={**OUTLIER, "consecutiveFailures": 0}, probe=PROBE)
    wait_for(lambda: web.out("Down") == {"b"}, "it is never down", 30)
    assert None not in web.ask_often(40)


@pytest.mark.parametrize("percent, unplugged", [(50, "bcd"), (25, "cd"), (75, "bcd"), (0, "d")])
def test_never_more_than_the_share_is_ejected(web, percent, unplugged):
    web.declare("abcd", outlier={**OUTLIER, "consecutiveFailures": 1, "maxEjectedPercent": percent})
    for name in unplugged:
        web.racks[name].unplug()
    limit, before, most = 4 * percent // 100, web.events(), 0
    for _ in range(100):
        web.ask()
        most = max(most, len(web.out("Ejected")))
        if most == len(unplugged) or web.events()["Panic"] > before["Panic"]:
            break
    assert most == min(len(unplugged), limit)
    assert (web.events()["Panic"] > before["Panic"]) == (limit < len(unplugged))
    assert len(web.out("Ejected")) == (0 if limit < len(unplugged) else len(unplugged))


def test_never_more_than_the_share_is_down(web):
    web.declare("abcd", probe=PROBE, outlier={**OUTLIER, "consecutiveFailures": 0})
    before = web.events()
    web.racks["c"].unplug()
    web.racks["d"].unplug()
    wait_for(lambda: web.out("Down") == {"c", "d"}, "half of them are down", 30)
    web.racks["b"].unplug()
    wait_for(lambda: web.events()["Panic"] > before["Panic"], "there is no panic", 30)
    assert not web.out("Down")
