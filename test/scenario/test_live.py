# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is alive: open connections, answers, limits, backends that fail.

  one node (lib/node.py)
  VIP 127.96.3.x, 80/TCP   ->   nginx a 127.0.0.1:8081, b 127.0.0.2:8081, c 127.0.0.3:8081
                                moody servers 127.0.1.x:8082, which are slow, reset, or gone
  VIP 127.96.3.x, 53/UDP   ->   dnsmasq a 127.0.0.1:53, b 127.0.0.2:53

Each test declares the service anew, under its own name and address.
"""

import collections
import concurrent.futures
import contextlib
import errno
import itertools
import time

import pytest

from lib.clients import connect, connect_errno, http_name, kept_name, name_at, names_at, udp_name
from lib.kernel import pace
from lib.objects import POLICIES, SERVICES, backend, policy, service, udp
from lib.servers import SERVERS

PER_SECOND = 4  # new connections: fewer than any machine makes
TINY = 1e-6
PACE = pace()
numbers = itertools.count(10)

pytestmark = pytest.mark.usefixtures("three_servers")


@pytest.fixture
def vip():
    return f"127.96.3.{next(numbers)}"


@pytest.fixture
def free(node):
    """An address where nobody listens yet."""
    return f"127.0.1.{next(numbers)}"


def name_of(vip):
    return f"live-{vip.replace('.', '-')}"


def web(vip, **weights):
    return service(name_of(vip), vip, 80,
                   [backend(SERVERS[name], weight=weight) for name, weight in weights.items()])


def at(vip, *addresses):
    return service(name_of(vip), vip, 80, [backend(address) for address in addresses])


def chosen(vip, **spec):
    return policy(name_of(vip), name_of(vip), **spec)


def hooks(node):
    return {hook["name"] for hook in node.control.get("/v1/status").json["hooks"]}


def events(node):
    return {labels["event"]: value for name, labels, value in node.control.metrics()
            if name == "junctor_backend_events_total"}


def reasons(node):
    return {labels["reason"]: value for name, labels, value in node.control.metrics()
            if name == "junctor_decisions_total"}


def keep(stack, node, vip, count):
    return [stack.enter_context(connect(node, vip, 80)) for _ in range(count)]


def asked_at_once(node, vip, clients, each):
    """Counter of who answers `clients` that ask `each` times one after the other."""
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        asked = pool.map(lambda _: names_at(node, vip, count=each), range(clients))
        return sum(asked, collections.Counter())


# --- LeastConnections -----------------------------------------------------------------------------
def assert_level(names):
    """Of two backends. Once in 256 connections all draws are the same one, which then is taken."""
    assert abs(names["a"] - names["b"]) <= 4, names


def test_connections_go_where_fewest_are_open(node, vip):
    node.control.declare(web(vip, a=1), chosen(vip, algorithm="LeastConnections"))
    with contextlib.ExitStack() as kept:
        keep(kept, node, vip, 20)
        node.control.declare(web(vip, a=1, b=1))
        names = [kept_name(client) for client in keep(kept, node, vip, 20)]
        assert names.count("b") >= 18, names
        assert_level(collections.Counter(kept_name(client)
                                         for client in keep(kept, node, vip, 20)))
    # All are closed: none counts any more.
    with contextlib.ExitStack() as kept:
        assert_level(collections.Counter(kept_name(client)
                                         for client in keep(kept, node, vip, 20)))


def test_open_connections_are_counted_by_weight(node, vip):
    node.control.declare(web(vip, a=1, b=3), chosen(vip, algorithm="LeastConnections"))
    with contextlib.ExitStack() as kept:
        names = collections.Counter(kept_name(client) for client in keep(kept, node, vip, 80))
        assert abs(names["a"] - 20) <= 3, names


def test_connected_udp_sockets_are_counted_too(node, vip):
    node.control.declare(service(name_of(vip), vip, udp(53), ["127.0.0.1", "127.0.0.2"]),
                         chosen(vip, algorithm="LeastConnections"))
    with contextlib.ExitStack() as kept:
        names = collections.Counter()
        for _ in range(20):
            client = kept.enter_context(node.udp())
            client.connect((vip, 53))
            names[udp_name(client)[0]] += 1
        assert_level(names)
        client.connect((vip, 53))  # once more: it counts at one place
        client.connect((vip, 53))


def test_counts_survive_junctord(node, vip):
    node.control.declare(web(vip, a=1), chosen(vip, algorithm="LeastConnections"))
    with contextlib.ExitStack() as kept:
        keep(kept, node, vip, 10)
        node.junctord.restart()
        node.control.declare(web(vip, a=1, b=1))
        names = [kept_name(client) for client in keep(kept, node, vip, 10)]
        assert names.count("b") >= 8, names


@pytest.mark.parametrize("algorithm", ["LeastConnections", "Ewma"])
def test_a_backend_ten_times_slower_gets_less_and_recovers(node, vip, free, algorithm):
    fast = node.servers.moody("fast", free)
    slow = node.servers.moody("slow", free, 8083)
    fast.tell("delay", 0.02 * PACE)
    slow.tell("delay", 0.2 * PACE)
    node.control.declare(at(vip, f"{free}:8082", f"{free}:8083"), chosen(vip, algorithm=algorithm))
    asked_at_once(node, vip, clients=4, each=5)  # it has to be learnt
    names = asked_at_once(node, vip, clients=4, each=30)
    assert names["slow"] < names["fast"] / 3, names
    slow.tell("delay", 0.02 * PACE)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        names = asked_at_once(node, vip, clients=4, each=20)
        if names["slow"] > names["fast"] / 2:
            return
    raise AssertionError(f"{names}: it never recovered")


# --- hooks ----------------------------------------------------------------------------------------
def test_hooks_are_there_only_while_an_object_needs_them(node, vip):
    for name in [item["metadata"]["name"] for item in
                 node.control.get("/apis/junctor.dev/v1alpha1/trafficpolicies").json["items"]]:
        node.control.delete(f"/apis/junctor.dev/v1alpha1/trafficpolicies/{name}")
    node.control.declare(web(vip, a=1), chosen(vip, algorithm="Maglev"))
    wait_until(lambda: not {"sock_release", "sockops"} & hooks(node))
    node.control.declare(chosen(vip, algorithm="LeastConnections"))
    assert {"sock_release", "sockops"} & hooks(node) == {"sock_release"}
    node.control.declare(chosen(vip, outlier={}))
    assert {"sock_release", "sockops"} <= hooks(node)
    node.control.declare(chosen(vip))
    wait_until(lambda: not {"sock_release", "sockops"} & hooks(node))


def wait_until(is_true, seconds=5):
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- limits ---------------------------------------------------------------------------------------
def test_a_service_refuses_beyond_its_connections(node, vip):
    node.control.declare(web(vip, a=1, b=1), chosen(vip, limits={"connections": 5}))
    before = reasons(node)["LimitReached"]
    with contextlib.ExitStack() as kept:
        clients = keep(kept, node, vip, 5)
        assert connect_errno(node, vip) == errno.ECONNREFUSED
        assert reasons(node)["LimitReached"] == before + 1
        clients[0].close()
        keep(kept, node, vip, 1)
        assert connect_errno(node, vip) == errno.ECONNREFUSED
        node.control.declare(chosen(vip, limits={"connections": 6}))  # live
        keep(kept, node, vip, 1)
        assert connect_errno(node, vip) == errno.ECONNREFUSED


def test_a_full_backend_passes_on_and_all_full_refuse(node, vip):
    node.control.declare(web(vip, a=100, b=1), chosen(vip, limits={"connectionsPerBackend": 3}))
    with contextlib.ExitStack() as kept:
        names = collections.Counter(kept_name(client) for client in keep(kept, node, vip, 6))
        assert names == {"a": 3, "b": 3}
        assert connect_errno(node, vip) == errno.ECONNREFUSED
    assert len(names_at(node, vip, count=5)) >= 1


def test_limits_hold_while_many_connect_at_once(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1),
                         chosen(vip, limits={"connections": 40, "connectionsPerBackend": 20}))
    with contextlib.ExitStack() as kept, concurrent.futures.ThreadPoolExecutor(16) as pool:
        def try_one(_):
            client = kept.enter_context(node.tcp())
            return client.connect_ex((vip, 80))
        codes = collections.Counter(pool.map(try_one, range(120)))
        assert codes == {0: 40, errno.ECONNREFUSED: 80}
    assert names_at(node, vip, count=20).total() == 20


def test_new_connections_a_second(node, vip):
    """A bucket of a second that fills with each connection and empties by itself: how full it is at
    an attempt is known up to how long the attempt took, however fast anything is."""
    node.control.declare(web(vip, a=1), chosen(vip, limits={"newConnectionsPerSecond": PER_SECOND}))
    each, least, most = 1 / PER_SECOND, 0.0, 0.0  # when it is empty again: at the earliest, latest
    counts, last = collections.Counter(), time.monotonic() + 60
    while min(counts["taken"], counts["refused"]) < 3 * PER_SECOND and time.monotonic() < last:
        begin = time.monotonic()
        is_taken = connect_errno(node, vip) == 0
        end = time.monotonic()
        counts["taken" if is_taken else "refused"] += 1
        if is_taken:
            least, most = max(least, begin) + each, max(most, end) + each
            assert least <= end + 1 + TINY, "one more than so many a second"
        else:
            assert most + each > begin + 1 - TINY, "there was room"
    assert min(counts["taken"], counts["refused"]) >= 3 * PER_SECOND, counts


# --- ejection -------------------------------------------------------------------------------------
QUICK = {"consecutiveFailures": 3, "windowSeconds": 30, "baseEjectionSeconds": PACE,
         "maxEjectionSeconds": 2 * PACE}


def failures_of(node, vip, count):
    return sum(connect_errno(node, vip) != 0 for _ in range(count))


def test_a_backend_that_refuses_is_ejected_and_comes_back(node, vip, free):
    node.control.declare(at(vip, SERVERS["a"], f"{free}:8082"), chosen(vip, outlier=QUICK))
    before = events(node)
    assert failures_of(node, vip, 60) == 3
    assert events(node)["Ejected"] == before["Ejected"] + 1
    time.sleep(1.1 * PACE)
    assert failures_of(node, vip, 60) == 1, "one connection tries it"
    assert events(node)["Ejected"] == before["Ejected"] + 2
    time.sleep(1.1 * PACE)
    assert failures_of(node, vip, 60) == 0, "the second time is longer"
    node.servers.moody("back", free)
    time.sleep(PACE)
    assert set(names_at(node, vip, count=60)) == {"a", "back"}
    assert events(node)["Readmitted"] == before["Readmitted"] + 1
    assert failures_of(node, vip, 60) == 0


def test_a_backend_that_resets_early_is_ejected(node, vip, free):
    moody = node.servers.moody("moody", free)
    node.control.declare(at(vip, SERVERS["a"], f"{free}:8082"), chosen(vip, outlier=QUICK))
    assert set(names_at(node, vip, count=40)) == {"a", "moody"}
    moody.tell("reset")
    errors = 0
    for _ in range(60):
        try:
            assert name_at(node, vip) == "a"
        except (ConnectionResetError, BrokenPipeError):
            errors += 1
    assert errors == 3


def test_a_backend_that_hangs_is_ejected(node, vip):
    """A full backlog answers no SYN."""
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(node.tcp())
        deaf.bind(("127.0.1.7", 8082))
        deaf.listen(0)
        for _ in range(3):
            filler = stack.enter_context(node.tcp())
            filler.setblocking(False)
            filler.connect_ex(("127.0.1.7", 8082))
        time.sleep(0.2)
        node.control.declare(at(vip, SERVERS["a"], "127.0.1.7:8082"), chosen(vip, outlier=QUICK))
        hung = 0
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            def patient(_):
                with node.tcp() as client:
                    client.settimeout(1.5)  # one SYN more than the first
                    try:
                        client.connect((vip, 80))
                    except TimeoutError:
                        return 1
                    return 0
            hung = sum(pool.map(patient, range(12)))
        assert hung >= 3
        assert names_at(node, vip, count=30) == {"a": 30}


def test_never_more_than_a_share_is_out(node, vip, free):
    dead = [f"{free}:{port}" for port in (9001, 9002)]
    node.control.declare(at(vip, SERVERS["a"], *dead),
                         chosen(vip, outlier={**QUICK, "maxEjectedPercent": 34}))
    before = events(node)
    assert failures_of(node, vip, 100) > 6, "one of three may be out, the other goes on"
    assert events(node)["Panic"] > before["Panic"]
    node.control.declare(chosen(vip, outlier={**QUICK, "maxEjectedPercent": 67}))
    failures_of(node, vip, 40)
    assert failures_of(node, vip, 40) <= 2


@pytest.mark.parametrize("backends, percent", [(["a", 9001, 9002], 50), (["a", "b", 9001, 9002], 49),
                                               ([9001, 9002], 99)],
                         ids=["fewer backends", "a smaller share", "only those that are out"])
def test_the_share_holds_for_what_is_declared_later(node, vip, free, backends, percent):
    """Who was out stayed out, as only an ejection was measured by the share."""
    def declare(some, share):
        addresses = [SERVERS.get(one, f"{free}:{one}") for one in some]
        node.control.declare(
            at(vip, *addresses),
            chosen(vip, outlier={**QUICK, "consecutiveFailures": 1, "maxEjectedPercent": share,
                                 "baseEjectionSeconds": 300, "maxEjectionSeconds": 300}))

    def ejected():
        status = node.control.get(f"{SERVICES}/{name_of(vip)}").json["status"]
        return sum(one["state"] == "Ejected" for one in status.get("endpoints", []))

    declare(["a", "b", 9001, 9002], 50)
    assert failures_of(node, vip, 60) == 2
    declare(["a", "b", "c", 9001, 9002], 50)
    assert ejected() == 2, "not too many of a larger set"
    before = events(node)["Panic"]
    declare(backends, percent)
    assert ejected() == 0
    assert events(node)["Panic"] == before + 1


def test_one_backend_alone_is_never_out(node, vip, free):
    node.control.declare(at(vip, f"{free}:8082"), chosen(vip, outlier=QUICK))
    assert failures_of(node, vip, 20) == 20
    node.servers.moody("only", free)
    assert names_at(node, vip, count=5) == {"only": 5}


def test_ejection_survives_junctord_and_needs_no_daemon(node, vip, free):
    node.control.declare(at(vip, SERVERS["a"], f"{free}:8082"),
                         chosen(vip, outlier={**QUICK, "baseEjectionSeconds": 60,
                                              "maxEjectionSeconds": 60}))
    node.junctord.kill()
    try:
        assert failures_of(node, vip, 60) == 3
    finally:
        node.junctord.start()
    assert failures_of(node, vip, 60) == 0


def test_affinity_leaves_an_ejected_backend(node, vip, free):
    moody = node.servers.moody("moody", free)
    node.control.declare(at(vip, f"{free}:8082"),
                         chosen(vip, outlier=QUICK, affinity={"type": "ClientIP"}))
    assert name_at(node, vip) == "moody"
    node.control.declare(at(vip, f"{free}:8082", SERVERS["a"]))
    assert names_at(node, vip, count=5) == {"moody": 5}
    moody.stop()
    assert failures_of(node, vip, 20) == 3
    assert names_at(node, vip, count=5) == {"a": 5}


def test_a_backend_is_shared_by_its_services(node, vip, free):
    other = f"127.96.3.{next(numbers)}"
    node.control.declare(at(vip, SERVERS["a"], f"{free}:8082"), chosen(vip, outlier=QUICK),
                         at(other, SERVERS["a"], f"{free}:8082"), chosen(other, outlier=QUICK))
    assert failures_of(node, vip, 60) == 3
    assert failures_of(node, other, 60) == 0


def test_counts_begin_anew_where_nobody_counted_meanwhile(node, vip):
    """The probe keeps the entry of the backend while no hook hears of a socket's end."""
    for name in [item["metadata"]["name"] for item in node.control.get(POLICIES).json["items"]]:
        node.control.remove(f"{POLICIES}/{name}")
    probe = {"type": "TCP"}
    limited = chosen(vip, probe=probe, limits={"connectionsPerBackend": 3})
    node.control.declare(web(vip, a=1), limited)
    with contextlib.ExitStack() as kept:
        keep(kept, node, vip, 3)
        assert connect_errno(node, vip) == errno.ECONNREFUSED
        node.control.declare(chosen(vip, probe=probe))
        wait_until(lambda: "sock_release" not in hooks(node))
    node.control.declare(limited)
    with contextlib.ExitStack() as kept:
        keep(kept, node, vip, 3)
        assert connect_errno(node, vip) == errno.ECONNREFUSED


def test_an_ejection_is_over_where_nobody_ejects_any_more(node, vip, free):
    limits = {"connectionsPerBackend": 1000}
    node.control.declare(at(vip, SERVERS["a"], f"{free}:8082"),
                         chosen(vip, outlier=QUICK, limits=limits))
    assert failures_of(node, vip, 60) == 3
    node.servers.moody("back", free)
    node.control.declare(chosen(vip, limits=limits))
    time.sleep(1.1 * PACE)
    names = names_at(node, vip, count=60)
    assert names["back"] > 10, names


def test_a_service_that_ejects_nobody_takes_no_trial(node, vip, free):
    """It would never say how the trial ended, and the others would wait for theirs in vain."""
    other = f"127.96.3.{next(numbers)}"
    node.control.declare(at(vip, SERVERS["a"], f"{free}:8082"), chosen(vip, outlier=QUICK),
                         at(other, SERVERS["a"], f"{free}:8082"),
                         chosen(other, limits={"connectionsPerBackend": 1000}))
    before = events(node)
    assert failures_of(node, vip, 60) == 3
    node.servers.moody("back", free)
    time.sleep(1.1 * PACE)
    names_at(node, other, count=60)
    names_at(node, vip, count=60)
    assert events(node)["Readmitted"] == before["Readmitted"] + 1
