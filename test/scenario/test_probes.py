# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Active probes: who is asked, what counts as up, and what follows.

  one node (lib/node.py)
  VIP 127.96.4.x, 80/TCP   ->   nginx a 127.0.0.1:8081, b 127.0.0.2:8081, c 127.0.0.3:8081
                                moody servers 127.0.2.x:8082, gRPC servers 127.0.2.x:50051
  VIP 127.96.4.x, 53/UDP   ->   dnsmasq a 127.0.0.1:53, b 127.0.0.2:53

Each test declares the service anew, under its own name and address. Probes come once a second.
"""

import collections
import contextlib
import itertools
import json
import os
import signal
import threading
import time

import pytest

from lib import kube
from lib.clients import connect_errno, names_at, udp_name
from lib.junctord import wait_for
from lib.node import built
from lib.objects import POLICIES, SERVICES, policy, service, udp
from lib.servers import SERVERS

QUICK = {"intervalSeconds": 1, "failureThreshold": 2}
numbers = itertools.count(10)

pytestmark = pytest.mark.usefixtures("three_servers")


@pytest.fixture(autouse=True)
def healthy(node):
    """Backends are shared: what a test leaves would be the next one's."""
    yield
    for mark in node.folder.glob("sick-*"):
        mark.unlink()
    for found in node.control.get(POLICIES).json["items"]:
        node.control.delete(f"{POLICIES}/{found['metadata']['name']}")


@pytest.fixture
def vip():
    return f"127.96.4.{next(numbers)}"


@pytest.fixture
def free():
    """An address where nobody listens yet."""
    return f"127.0.2.{next(numbers)}"


def name_of(vip):
    return f"probe-{vip.replace('.', '-')}"


def web(vip, *addresses):
    return service(name_of(vip), vip, 80, [SERVERS.get(one, one) for one in addresses])


def probed(vip, kind, spec=None, **probe):
    return policy(name_of(vip), name_of(vip), **(spec or {}),
                  probe={"type": kind, **QUICK, **probe})


def endpoints(node, vip):
    """{address: (state, reason)}"""
    status = node.control.get(f"{SERVICES}/{name_of(vip)}").json["status"]
    return {one["address"]: (one["state"], one.get("reason"))
            for one in status.get("endpoints", [])}


def state_of(node, vip, address):
    return endpoints(node, vip).get(SERVERS.get(address, address), (None, None))[0]


def await_state(node, vip, address, state, seconds=8):
    wait_for(lambda: state_of(node, vip, address) == state,
             f"{address} is never {state}: {endpoints(node, vip)}", seconds)


def metrics(node, name):
    return {tuple(labels.values()): value for found, labels, value in node.control.metrics()
            if found == name}


def panics(node):
    return metrics(node, "junctor_backend_events_total")[("Panic",)]


# --- HTTP -----------------------------------------------------------------------------------------
def test_an_http_backend_that_says_503_is_left_and_comes_back(node, vip):
    node.control.declare(web(vip, "a", "b"), probed(vip, "HTTP", path="/health"))
    assert set(names_at(node, vip, count=40)) == {"a", "b"}
    node.servers.sicken("a")
    await_state(node, vip, "a", "Down")
    assert endpoints(node, vip) == {SERVERS["a"]: ("Down", "HTTP status 503"),
                                    SERVERS["b"]: ("Up", None)}
    assert names_at(node, vip, count=40) == {"b": 40}
    assert metrics(node, "junctor_backends_down")[()] >= 1
    assert metrics(node, "junctor_probes_total")[("failure",)] >= 2
    shown = node.said(built("junctor"), "--socket", node.socket_path, "get", "backends")
    assert "Down (HTTP status 503)" in shown and "Up" in shown
    node.servers.sicken("a", False)
    await_state(node, vip, "a", "Up")
    assert set(names_at(node, vip, count=40)) == {"a", "b"}
    assert metrics(node, "junctor_probes_total")[("success",)] >= 2


def test_a_redirect_is_up_and_a_missing_page_is_not(node, vip):
    node.control.declare(web(vip, "a", "b", "c"), probed(vip, "HTTP", path="/moved"))
    time.sleep(3)
    assert {state for state, _ in endpoints(node, vip).values()} == {"Up"}
    node.control.declare(probed(vip, "HTTP", {"outlier": {"maxEjectedPercent": 100}},
                                path="/big/missing"))
    for name in SERVERS:
        await_state(node, vip, name, "Down")
    assert endpoints(node, vip)[SERVERS["a"]] == ("Down", "HTTP status 404")
    assert names_at(node, vip, count=10).total() == 10, "all are out: better than nobody"


@pytest.mark.parametrize("mood, reason", [
    ("silent", "no answer within 1 s"), ("garbage", "its answer is not HTTP"),
    ("flood", "it talks without end"), ("reset", "Connection reset by peer")])
def test_a_hostile_server_is_down_and_hurts_nobody(node, vip, free, mood, reason):
    moody = node.servers.moody("moody", free)
    node.control.declare(web(vip, "a", f"{free}:8082"), probed(vip, "HTTP"))
    time.sleep(1.5)
    assert state_of(node, vip, f"{free}:8082") == "Up"
    moody.tell(mood)
    await_state(node, vip, f"{free}:8082", "Down")
    assert endpoints(node, vip)[f"{free}:8082"][1] == reason
    assert state_of(node, vip, "a") == "Up"
    moody.tell("answer")
    await_state(node, vip, f"{free}:8082", "Up")


# --- TCP ------------------------------------------------------------------------------------------
def test_a_tcp_server_that_stops_is_left_and_comes_back(node, vip, free):
    server = node.servers.moody("moody", free)
    node.control.declare(web(vip, "a", f"{free}:8082"), probed(vip, "TCP"))
    assert set(names_at(node, vip, count=40)) == {"a", "moody"}
    server.stop()
    await_state(node, vip, f"{free}:8082", "Down")
    assert endpoints(node, vip)[f"{free}:8082"][1] == "Connection refused"
    assert names_at(node, vip, count=40) == {"a": 40}
    node.servers.moody("moody", free)
    await_state(node, vip, f"{free}:8082", "Up")
    assert set(names_at(node, vip, count=40)) == {"a", "moody"}


def test_another_port_of_the_backend(node, vip, free):
    control = node.servers.moody("control", free, 9000)
    node.servers.moody("control", "127.0.0.1", 9000)
    node.control.declare(web(vip, "a", f"{free}:8082"), probed(vip, "TCP", port=9000))
    time.sleep(3)
    assert state_of(node, vip, f"{free}:8082") == "Up", "nobody listens there, and nobody asks"
    control.stop()
    await_state(node, vip, f"{free}:8082", "Down")
    assert state_of(node, vip, "a") == "Up"


def test_thresholds_count_in_a_row(node, vip):
    node.control.declare(web(vip, "a", "b", "c"),
                         probed(vip, "HTTP", path="/health", failureThreshold=4,
                                successThreshold=3))
    node.servers.sicken("a")
    begin = time.monotonic()
    await_state(node, vip, "a", "Down")
    assert time.monotonic() - begin > 2.5, "the fourth probe in a row"
    node.servers.sicken("a", False)
    begin = time.monotonic()
    await_state(node, vip, "a", "Up")
    assert time.monotonic() - begin > 1.5, "the third success in a row"


# --- gRPC -----------------------------------------------------------------------------------------
def test_grpc_health(node, vip, free):
    server = node.servers.grpc(free)
    other = f"127.0.2.{next(numbers)}"
    node.servers.grpc(other)
    backends = [f"{free}:50051", f"{other}:50051"]
    node.control.declare(web(vip, *backends), probed(vip, "GRPC"))
    time.sleep(2.5)
    assert {state for state, _ in endpoints(node, vip).values()} == {"Up"}
    server.tell("-", "NOT_SERVING")
    await_state(node, vip, backends[0], "Down")
    assert endpoints(node, vip) == {backends[0]: ("Down", "it says NOT_SERVING"),
                                    backends[1]: ("Up", None)}
    server.tell("-", "SERVING")
    await_state(node, vip, backends[0], "Up")
    server.tell("shop.Cart", "SERVING")
    node.control.declare(probed(vip, "GRPC", service="shop.Cart"))
    await_state(node, vip, backends[1], "Down")
    assert "does not know the service" in endpoints(node, vip)[backends[1]][1]
    assert state_of(node, vip, backends[0]) == "Up"


def test_an_http_server_is_no_grpc_server(node, vip, free):
    node.servers.grpc(free)
    node.control.declare(web(vip, f"{free}:50051", "a"), probed(vip, "GRPC"))
    await_state(node, vip, "a", "Down")
    assert endpoints(node, vip)[SERVERS["a"]][1] in ("its answer is not gRPC",
                                                     "it closed without an answer")
    assert state_of(node, vip, f"{free}:50051") == "Up"


# --- Kubernetes' Services -------------------------------------------------------------------------
def test_a_service_and_its_slice(node, vip):
    name = name_of(vip)
    node.control.declare(
        kube.service(name, vip, [80]),
        kube.slice_of(name, [kube.endpoint(SERVERS[one].rpartition(":")[0]) for one in "ab"],
                      {"": 8081}),
        policy(name, name, targetRef={"kind": "Service", "name": name},
               probe={"type": "HTTP", "path": "/health", **QUICK}))
    try:
        assert set(names_at(node, vip, count=40)) == {"a", "b"}
        node.servers.sicken("b")
        wait_for(lambda: names_at(node, vip, count=20) == {"a": 20}, "b is never left")
        shown = {}
        for command in (["get", "backends"], ["get", "backend", name], ["describe", "service", name]):
            text = node.said(built("junctor"), "--socket", node.socket_path, *command)
            shown[command[-1]] = [line for line in text.splitlines() if "127.0.0.2 " in line]
            assert "Down (HTTP status 503)" in shown[command[-1]][-1], text
            assert " Up" in [line for line in text.splitlines() if "127.0.0.1 " in line][-1], text
    finally:
        node.control.remove(f"{kube.SERVICES}/{name}")


# --- panic, sharing -------------------------------------------------------------------------------
def test_more_than_the_share_down_and_all_are_used(node, vip):
    node.control.declare(web(vip, "a", "b", "c"), probed(vip, "HTTP", path="/health"))
    before = panics(node)
    node.servers.sicken("a")
    await_state(node, vip, "a", "Down")
    node.servers.sicken("b")
    wait_for(lambda: panics(node) == before + 1, "there is no panic")
    assert {state for state, _ in endpoints(node, vip).values()} == {"Up"}
    assert set(names_at(node, vip, count=60)) == {"a", "b", "c"}
    assert "2 of 3 endpoints are down" in node.junctord.log()
    node.servers.sicken("b", False)
    await_state(node, vip, "a", "Down")
    assert set(names_at(node, vip, count=60)) == {"b", "c"}
    assert panics(node) == before + 1


def test_the_share_of_outlier_counts(node, vip):
    node.servers.sicken("a")
    node.servers.sicken("b")
    node.control.declare(web(vip, "a", "b", "c"),
                         probed(vip, "HTTP", {"outlier": {"maxEjectedPercent": 67}},
                                path="/health"))
    await_state(node, vip, "a", "Down")
    await_state(node, vip, "b", "Down")
    assert names_at(node, vip, count=20) == {"c": 20}


def test_a_backend_of_two_services_is_asked_once(node, vip, free):
    other = f"127.96.4.{next(numbers)}"
    asked = collections.Counter()
    with listener(node, free, asked):
        for address in (vip, other):
            node.control.declare(web(address, "a", "b", f"{free}:8082"), probed(address, "TCP"))
        time.sleep(0.2)
        asked.clear()
        time.sleep(6)
        assert 4 <= asked[free] <= 8
    await_state(node, vip, f"{free}:8082", "Down")
    assert state_of(node, other, f"{free}:8082") == "Down"


@contextlib.contextmanager
def listener(node, address, asked, port=8082):
    """Counts the connections it gets, with when they came."""
    server = node.tcp()
    server.bind((address, port))
    server.listen(512)
    server.settimeout(0.1)
    stop = threading.Event()

    def run():
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            with connection:
                asked[address] += 1
                asked.setdefault("times", []).append((time.monotonic(), connection.getsockname()))
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        server.close()


def test_many_backends_are_spread_over_the_interval(node, vip):
    asked = collections.Counter()
    with listener(node, "0.0.0.0", asked, 8090):
        backends = [f"127.0.5.{n}:8090" for n in range(1, 201)]
        begin = time.monotonic()
        node.control.declare(web(vip, *backends), probed(vip, "TCP", intervalSeconds=4))
        time.sleep(8.5)
        node.control.delete(f"{POLICIES}/{name_of(vip)}")
    first, total = {}, collections.Counter()
    for when, where in asked["times"]:
        first.setdefault(where, when - begin)
        total[int((when - begin) / 0.5)] += 1
    assert len(first) == 200 and max(first.values()) < 4.5
    # 25 are to be expected in each half second.
    assert all(8 <= total[slot] <= 60 for slot in range(16)), total


# --- UDP ------------------------------------------------------------------------------------------
def test_an_unconnected_udp_socket_leaves_a_backend_that_is_down(node, vip, free):
    """UDP says nothing about health: the probe asks nginx at the same addresses."""
    node.control.declare(service(name_of(vip), vip, udp(53), ["127.0.0.1", "127.0.0.2"]),
                         probed(vip, "HTTP", path="/health", port=8081))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(node.udp()) for _ in range(12)]
        names = [udp_name(client, (vip, 53))[0] for client in clients]
        assert set(names) == {"a", "b"}
        assert [udp_name(client, (vip, 53))[0] for client in clients] == names
        node.servers.sicken("a")
        await_state(node, vip, "127.0.0.1:53", "Down")
        assert {udp_name(client, (vip, 53))[0] for client in clients} == {"b"}
        node.servers.sicken("a", False)
        await_state(node, vip, "127.0.0.1:53", "Up")
        assert {udp_name(client, (vip, 53))[0] for client in clients} == {"b"}, "they stay"
    node.control.declare(probed(vip, "HTTP", path="/health"))  # no port: a UDP port is not asked
    assert endpoints(node, vip) == {}


@pytest.mark.parametrize("spec", [{"algorithm": "Maglev"}, {"algorithm": "SourceHash"},
                                  {"affinity": {"type": "ClientIP"}}], ids=str)
def test_an_unconnected_udp_socket_leaves_it_where_the_client_decides_too(node, vip, spec):
    node.control.declare(service(name_of(vip), vip, udp(53), ["127.0.0.1", "127.0.0.2"]),
                         probed(vip, "HTTP", spec, path="/health", port=8081))
    with node.udp() as client:
        name = udp_name(client, (vip, 53))[0]
        node.servers.sicken(name)
        await_state(node, vip, {"a": "127.0.0.1:53", "b": "127.0.0.2:53"}[name], "Down")
        assert udp_name(client, (vip, 53))[0] != name


# --- life and death -------------------------------------------------------------------------------
def test_the_verdict_outlives_junctord_and_does_not_flap(node, vip):
    node.control.declare(web(vip, "a", "b"), probed(vip, "HTTP", path="/health"))
    node.servers.sicken("a")
    await_state(node, vip, "a", "Down")
    node.junctord.kill()
    try:
        assert names_at(node, vip, count=30) == {"b": 30}
        node.junctord.launch()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert names_at(node, vip, count=10) == {"b": 10}
        assert state_of(node, vip, "a") == "Down"
        node.servers.sicken("a", False)
        await_state(node, vip, "a", "Up")
    finally:
        if not node.junctord.is_running():
            node.junctord.start()
    node.servers.sicken("a")
    await_state(node, vip, "a", "Down")
    assert node.junctord.terminate() == 0
    try:
        assert names_at(node, vip, count=30) == {"b": 30}
    finally:
        node.junctord.start()


def test_a_junctord_that_stood_still_takes_nobody_for_down(node, vip, free):
    """Every deadline is over when it goes on: its own fault, and no backend's. Answers take so long
    that there is hardly a moment at which nobody is being asked."""
    places = [f"{free}:{port}" for port in range(8082, 8086)]
    for place in places:
        address, port = place.split(":")
        node.servers.moody(f"slow-{port}", address, int(port)).tell("delay", 1.2)
    node.control.declare(web(vip, *places), probed(vip, "HTTP", intervalSeconds=2, timeoutSeconds=2,
                                                        failureThreshold=1))
    before = metrics(node, "junctor_probes_total")
    wait_for(lambda: metrics(node, "junctor_probes_total")[("success",)] >= before[("success",)] + 4,
             "nobody is asked")
    os.kill(node.junctord.pid, signal.SIGSTOP)
    try:
        time.sleep(4)
        assert {connect_errno(node, vip) for _ in range(20)} == {0}, "the kernel serves on"
    finally:
        os.kill(node.junctord.pid, signal.SIGCONT)
    wait_for(lambda: metrics(node, "junctor_probes_total")[("success",)] >= before[("success",)] + 8,
             "nobody is asked any more")
    assert metrics(node, "junctor_probes_total")[("failure",)] == before[("failure",)]
    assert {state for state, _ in endpoints(node, vip).values()} == {"Up"}
    node.control.declare(web(vip, "a"))
    assert names_at(node, vip, count=10) == {"a": 10}


def test_a_changed_probe_does_not_flap(node, vip):
    node.control.declare(web(vip, "a", "b"), probed(vip, "HTTP", path="/health"))
    node.servers.sicken("a")
    await_state(node, vip, "a", "Down")
    for interval in range(2, 30):
        node.control.declare(probed(vip, "HTTP", path="/health", intervalSeconds=interval))
        assert state_of(node, vip, "a") == "Down"
    assert names_at(node, vip, count=30) == {"b": 30}


def test_without_the_policy_nobody_is_down(node, vip):
    node.control.declare(web(vip, "a", "b"),
                         probed(vip, "HTTP", {"algorithm": "LeastConnections"}, path="/health"))
    node.servers.sicken("a")
    await_state(node, vip, "a", "Down")
    node.control.declare(policy(name_of(vip), name_of(vip), algorithm="LeastConnections"))
    assert endpoints(node, vip) == {}
    assert set(names_at(node, vip, count=40)) == {"a", "b"}
    node.control.declare(probed(vip, "HTTP", path="/health"))
    await_state(node, vip, "a", "Down")
    node.control.delete(f"{POLICIES}/{name_of(vip)}")
    assert set(names_at(node, vip, count=40)) == {"a", "b"}


def test_probes_are_no_connections_of_users(node, vip):
    node.control.declare(web(vip, "a", "b"),
                         probed(vip, "TCP", {"limits": {"connectionsPerBackend": 1}}))
    before = metrics(node, "junctor_decisions_total")[("Ok",)]
    time.sleep(3)
    assert metrics(node, "junctor_decisions_total")[("Ok",)] == before
    assert connect_errno(node, vip) == 0


def test_junctord_closes_what_it_opens(node, vip, free):
    moody = node.servers.moody("moody", free)
    before = len(node.junctord.open_files())
    moody.tell("silent")
    node.control.declare(web(vip, "a", f"{free}:8082"), probed(vip, "HTTP"))
    await_state(node, vip, f"{free}:8082", "Down")
    node.control.delete(f"{POLICIES}/{name_of(vip)}")
    wait_for(lambda: len(node.junctord.open_files()) <= before, "descriptors leak")


def test_json_shows_endpoints(node, vip):
    node.control.declare(web(vip, "a"), probed(vip, "TCP"))
    shown = json.loads(node.said(built("junctor"), "--socket", node.socket_path, "get", "backends",
                                 "-o", "json"))
    assert [one["state"] for one in shown["items"] if one["service"] == name_of(vip)] == ["Up"]
