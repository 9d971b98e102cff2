# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Choices that depend on who connects: affinity, Maglev, SourceHash.

  one node (lib/node.py)
  VIP 127.96.2.x, 80/TCP   ->   some of nginx a 127.0.0.1:8081, b 127.0.0.2:8081, c 127.0.0.3:8081
  VIP 127.96.2.x, 53/UDP   ->   dnsmasq a 127.0.0.1:53, b 127.0.0.2:53
  clients                       sockets of one namespace, bound to 127.1.x.y or to nothing

Each test declares the service anew, under its own name and address.
"""

import collections
import itertools
import time

import pytest

from lib.clients import http_name, names_at, udp_name
from lib.objects import backend, policy, service, udp
from lib.servers import SERVERS
from lib.shares import assert_shares

numbers = itertools.count(10)

pytestmark = pytest.mark.usefixtures("three_servers")


@pytest.fixture
def vip():
    return f"127.96.2.{next(numbers)}"


def name_of(vip):
    return f"by-client-{vip.replace('.', '-')}"


def web(vip, **weights):
    return service(name_of(vip), vip, 80,
                   [backend(SERVERS[name], weight=weight) for name, weight in weights.items()])


def chosen(vip, **spec):
    return policy(name_of(vip), name_of(vip), **spec)


def sticky(vip, seconds=10800, **spec):
    return chosen(vip, affinity={"type": "ClientIP", "timeoutSeconds": seconds}, **spec)


def name_for(node, vip, source):
    """Who answers a new connection of a client with this source address."""
    with node.tcp() as client:
        client.bind((source, 0))
        client.connect((vip, 80))
        return http_name(client)


def sources(count):
    return [f"127.1.{i // 250}.{1 + i % 250}" for i in range(count)]


# --- Maglev, SourceHash ---------------------------------------------------------------------------
@pytest.mark.parametrize("algorithm", ["Maglev", "SourceHash"])
def test_clients_are_spread_by_weight_and_each_keeps_its_backend(node, vip, algorithm):
    node.control.declare(web(vip, a=1, b=2, c=3), chosen(vip, algorithm=algorithm))
    first = {source: name_for(node, vip, source) for source in sources(600)}
    assert_shares(collections.Counter(first.values()), {"a": 1, "b": 2, "c": 3})
    assert {source: name_for(node, vip, source) for source in sources(60)}.items() <= first.items()


@pytest.mark.parametrize("algorithm", ["Maglev", "SourceHash"])
def test_an_unbound_socket_is_its_namespaces(node, vip, algorithm):
    node.control.declare(web(vip, a=1, b=1, c=1), chosen(vip, algorithm=algorithm))
    assert len(names_at(node, vip, count=20)) == 1


def test_maglev_moves_the_clients_of_the_backend_that_left(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1), chosen(vip, algorithm="Maglev"))
    before = {source: name_for(node, vip, source) for source in sources(600)}
    node.control.declare(web(vip, a=1, b=1))
    moved = {source for source, name in before.items() if name != name_for(node, vip, source)}
    left = {source for source, name in before.items() if name == "c"}
    assert left <= moved
    assert len(moved - left) <= 6 + 8, "1 % of all, and three sigma of so few clients"


def test_algorithms_switch_live(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1))
    for algorithm in ("Maglev", "SourceHash", "Maglev"):
        node.control.declare(chosen(vip, algorithm=algorithm))
        assert len(names_at(node, vip, count=10)) == 1
        node.control.declare(chosen(vip, algorithm="RoundRobin"))
        assert names_at(node, vip, count=9) == {"a": 3, "b": 3, "c": 3}


# --- affinity -------------------------------------------------------------------------------------
def test_a_client_stays_and_others_are_spread(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1), sticky(vip))
    assert len(names_at(node, vip, count=20)) == 1
    first = {source: name_for(node, vip, source) for source in sources(300)}
    assert_shares(collections.Counter(first.values()), {"a": 1, "b": 1, "c": 1})
    assert {source: name_for(node, vip, source) for source in sources(60)}.items() <= first.items()


def test_affinity_switches_live(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1), sticky(vip, algorithm="RoundRobin"))
    assert len(names_at(node, vip, count=9)) == 1
    node.control.declare(chosen(vip, algorithm="RoundRobin"))
    assert names_at(node, vip, count=9) == {"a": 3, "b": 3, "c": 3}
    node.control.declare(sticky(vip, algorithm="RoundRobin"))
    assert len(names_at(node, vip, count=9)) == 1


def test_a_client_leaves_a_backend_that_is_removed_or_drained(node, vip):
    node.control.declare(web(vip, a=1, b=1), sticky(vip))
    (name,) = names_at(node, vip, count=5)
    other = "b" if name == "a" else "a"
    node.control.declare(web(vip, **{name: 0, other: 1}))
    assert names_at(node, vip, count=5) == {other: 5}
    node.control.declare(web(vip, **{name: 1}))
    assert names_at(node, vip, count=5) == {name: 5}
    node.control.declare(web(vip, a=1, b=1))
    assert names_at(node, vip, count=15) == {name: 15}


def test_the_timeout_is_over_after_a_pause_and_every_connection_renews_it(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1), sticky(vip, 2))
    (name,) = names_at(node, vip, count=5)
    for _ in range(4):
        time.sleep(0.7)
        assert names_at(node, vip) == {name: 1}
    seen = set()
    for _ in range(12):  # all the same by chance: once in 177,147
        time.sleep(2.1)
        seen |= set(names_at(node, vip))
        if len(seen) > 1:
            return
    raise AssertionError(f"{seen}: the timeout never ended")


def test_affinity_holds_for_udp(node, vip):
    node.control.declare(service(name_of(vip), vip, udp(53), ["127.0.0.1", "127.0.0.2"]),
                         sticky(vip))
    names = set()
    for _ in range(8):
        with node.udp() as client:
            names.add(udp_name(client, (vip, 53))[0])
        with node.udp() as client:
            client.connect((vip, 53))
            names.add(udp_name(client)[0])
            client.connect((vip, 53))  # it has a source address by now, which nobody gave it
            names.add(udp_name(client)[0])
    assert len(names) == 1


def test_affinity_survives_junctord(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1), sticky(vip))
    before = {source: name_for(node, vip, source) for source in sources(40)}
    node.junctord.kill()
    assert {source: name_for(node, vip, source) for source in sources(20)}.items() <= before.items()
    node.junctord.start()
    assert {source: name_for(node, vip, source) for source in sources(40)} == before


# --- slow start -----------------------------------------------------------------------------------
def test_a_newcomer_starts_slowly(node, vip):
    node.control.declare(web(vip, a=1), chosen(vip, slowStartSeconds=4))
    time.sleep(4.1)
    node.control.declare(web(vip, a=1, b=1))
    assert names_at(node, vip, count=200)["b"] < 80, "18 wanted; 49 if a second just passed"
    node.control.declare(chosen(vip, slowStartSeconds=0))
    assert_shares(names_at(node, vip, count=400), {"a": 1, "b": 1})
