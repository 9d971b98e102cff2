# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Which backend a new connection takes.

  one node (lib/node.py)
  VIP 127.96.0.10, 80/TCP   ->   some of nginx a 127.0.0.1:8081, b 127.0.0.2:8081, c 127.0.0.3:8081
  VIP 127.96.0.53, 53/UDP   ->   some of dnsmasq a 127.0.0.1:53, b 127.0.0.2:53

Each test declares the service anew, under its own name and address.
"""

import collections
import contextlib
import errno
import itertools
import json
import subprocess

import pytest

from lib.clients import connect, connect_errno, kept_name, names_at, udp_name
from lib.objects import backend, policy, service, udp
from lib.servers import SERVERS
from lib.shares import assert_shares

numbers = itertools.count(10)

pytestmark = pytest.mark.usefixtures("three_servers")


@pytest.fixture
def vip():
    return f"127.96.1.{next(numbers)}"


def backends(**fields):
    """backends(a=1, b={"ready": False}): weights, or whole fields, by the server's name."""
    return [backend(SERVERS[name], **(has if isinstance(has, dict) else {"weight": has}))
            for name, has in fields.items()]


def web(vip, **fields):
    return service(f"web-{vip.replace('.', '-')}", vip, 80, backends(**fields))


def in_turn(vip, algorithm="RoundRobin"):
    name = web(vip)["metadata"]["name"]
    return policy(name, name, algorithm=algorithm)


def run_together(node, vip, processes, count):
    """Counter of who answered so many processes that connect at the same time."""
    started = [node.python("connects.py", vip, 80, count, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE) for _ in range(processes)]
    for process in started:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    total = collections.Counter()
    for process in started:
        total.update(json.loads(process.communicate(timeout=60)[0]))
    return total


# --- algorithms -----------------------------------------------------------------------------------
def test_round_robin_is_exact(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1), in_turn(vip))
    for _ in range(3):
        assert names_at(node, vip, count=30) == {"a": 10, "b": 10, "c": 10}


def test_round_robin_counts_weights_smoothly(node, vip):
    node.control.declare(web(vip, a=10, b=20, c=30), in_turn(vip))
    assert names_at(node, vip, count=60) == {"a": 10, "b": 20, "c": 30}
    for _ in range(5):  # any six in a row: the greatest divisor is taken out
        assert names_at(node, vip, count=6) == {"a": 1, "b": 2, "c": 3}


def test_round_robin_is_exact_over_two_processes(node, vip):
    node.control.declare(web(vip, a=1, b=2), in_turn(vip))
    assert run_together(node, vip, processes=2, count=300) == {"a": 200, "b": 400}


def test_round_robin_counts_unconnected_udp_sockets(node, vip):
    name = f"dns-{vip.replace('.', '-')}"
    node.control.declare(service(name, vip, udp(53), ["127.0.0.1", "127.0.0.2"]),
                         policy(name, name, algorithm="RoundRobin"))
    names = collections.Counter()
    for _ in range(20):
        with node.udp() as client:
            asked = {udp_name(client, (vip, 53))[0] for _ in range(3)}
            assert len(asked) == 1, "an unconnected socket changed its backend"
            names.update(asked)
    assert names == {"a": 10, "b": 10}


def test_random_follows_the_weights(node, vip):
    node.control.declare(web(vip, a=1, b=2, c=7))
    assert_shares(names_at(node, vip, count=2000), {"a": 1, "b": 2, "c": 7})


def test_random_is_even_without_weights(node, vip):
    node.control.declare(web(vip, a={}, b={}, c={}))
    assert_shares(run_together(node, vip, processes=2, count=750), {"a": 1, "b": 1, "c": 1})


# --- states of a backend --------------------------------------------------------------------------
@pytest.mark.parametrize("algorithm", ["Random", "RoundRobin"])
def test_weight_0_takes_no_new_connection(node, vip, algorithm):
    node.control.declare(web(vip, a=1, b=1), in_turn(vip, algorithm))
    with contextlib.ExitStack() as kept:
        clients = [kept.enter_context(connect(node, vip, 80)) for _ in range(20)]
        names = [kept_name(client) for client in clients]
        assert set(names) == {"a", "b"}
        node.control.declare(web(vip, a=1, b=0))
        assert names_at(node, vip, count=40) == {"a": 40}
        assert [kept_name(client) for client in clients] == names, "connections stay where they are"


def test_not_ready_takes_no_new_connection(node, vip):
    node.control.declare(web(vip, a=1, b={"ready": False}, c=1))
    assert set(names_at(node, vip, count=60)) == {"a", "c"}
    node.control.declare(web(vip, a={"ready": False}, b={"ready": False}, c={"ready": False}))
    assert connect_errno(node, vip) == errno.ECONNREFUSED
    node.control.declare(web(vip, a={"ready": False}, b=1, c={"ready": False}))
    assert names_at(node, vip, count=20) == {"b": 20}


def test_terminating_is_the_last_resort(node, vip):
    node.control.declare(web(vip, a=1, b=1))
    with contextlib.ExitStack() as kept:
        clients = [kept.enter_context(connect(node, vip, 80)) for _ in range(20)]
        names = [kept_name(client) for client in clients]
        node.control.declare(web(vip, a={"terminating": True}, b=1))
        assert names_at(node, vip, count=40) == {"b": 40}
        node.control.declare(web(vip, a={"terminating": True}, b={"ready": False}))
        assert names_at(node, vip, count=20) == {"a": 20}
        node.control.declare(web(vip, a={"terminating": True}))
        assert names_at(node, vip, count=20) == {"a": 20}
        assert [kept_name(client) for client in clients] == names


def test_unconnected_udp_leaves_a_removed_backend(node, vip):
    name = f"dns-{vip.replace('.', '-')}"
    node.control.declare(service(name, vip, udp(53), ["127.0.0.1"]))
    with node.udp() as client:
        assert udp_name(client, (vip, 53)) == ("a", (vip, 53))
        node.control.declare(service(name, vip, udp(53), ["127.0.0.1", "127.0.0.2"]))
        for _ in range(10):
            assert udp_name(client, (vip, 53)) == ("a", (vip, 53)), "it keeps its backend"
        node.control.declare(service(name, vip, udp(53), ["127.0.0.2"]))
        assert udp_name(client, (vip, 53)) == ("b", (vip, 53))


# --- changes, live --------------------------------------------------------------------------------
def test_weights_change_live(node, vip):
    node.control.declare(web(vip, a=1, b=1))
    assert_shares(names_at(node, vip, count=600), {"a": 1, "b": 1})
    node.control.declare(web(vip, a=1, b=9))
    assert_shares(names_at(node, vip, count=600), {"a": 1, "b": 9})


def test_algorithm_changes_live_and_connections_stay(node, vip):
    node.control.declare(web(vip, a=1, b=1))
    with contextlib.ExitStack() as kept:
        clients = [kept.enter_context(connect(node, vip, 80)) for _ in range(20)]
        names = [kept_name(client) for client in clients]
        node.control.declare(in_turn(vip))
        assert names_at(node, vip, count=20) == {"a": 10, "b": 10}
        assert [kept_name(client) for client in clients] == names
        name = in_turn(vip)["metadata"]["name"]
        node.control.remove(f"/apis/junctor.dev/v1alpha1/namespaces/default/trafficpolicies/{name}")
        counts = [names_at(node, vip, count=20)["a"] for _ in range(12)]
        assert set(counts) != {10}, "Random again: not ten of twenty every time"
        assert [kept_name(client) for client in clients] == names
        assert all(client.getpeername() == (vip, 80) for client in clients)


def test_a_policy_may_come_before_its_target(node, vip):
    node.control.declare(in_turn(vip))
    name = in_turn(vip)["metadata"]["name"]
    path = f"/apis/junctor.dev/v1alpha1/namespaces/default/trafficpolicies/{name}"
    assert node.control.get(path).json["status"]["reason"] == "TargetNotFound"
    node.control.declare(web(vip, a=1, b=1))
    assert names_at(node, vip, count=20) == {"a": 10, "b": 10}
    assert node.control.get(path).json["status"].get("reason") != "TargetNotFound"


def test_a_policy_for_a_port_wins_over_one_for_the_object(node, vip):
    name = "two-ports"
    node.control.declare(
        service(name, vip, [{"name": "one", "port": 81, "targetPort": 8081},
                            {"name": "two", "port": 82, "targetPort": 8081}], []),
        policy("whole", name, noBackendErrno="EHOSTUNREACH"),
        policy("second", name, port="two", noBackendErrno="EPERM"))
    assert connect_errno(node, vip, 81) == errno.EHOSTUNREACH
    assert connect_errno(node, vip, 82) == errno.EPERM
