# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""junctor trace: the kernel's decision step by step, and that asking changes nothing.

  one node (lib/node.py)
  VIP 127.96.7.x, 80/TCP   ->   nginx a 127.0.0.1:8081, b 127.0.0.2:8081, c 127.0.0.3:8081
  VIP 127.96.7.x, 53/UDP   ->   the same addresses; nothing is sent
"""

import errno
import itertools
import json
import re

import pytest

from lib.clients import connect, connect_errno, http_name, name_at
from lib.junctord import wait_for
from lib.node import built
from lib.objects import backend, policy, service, udp
from lib.servers import SERVERS

numbers = itertools.count(10)
NAMES = {address: name for name, address in SERVERS.items()}

pytestmark = pytest.mark.usefixtures("three_servers")


@pytest.fixture
def vip():
    return f"127.96.7.{next(numbers)}"


def name_of(vip):
    return f"traced-{vip.replace('.', '-')}"


def web(vip, **weights):
    return service(name_of(vip), vip, 80,
                   [backend(SERVERS[name], weight=weight) for name, weight in weights.items()])


def chosen(vip, **spec):
    return policy(name_of(vip), name_of(vip), **spec)


def trace(node, to, *flags):
    """The answer of junctor trace -o json."""
    return json.loads(node.said(built("junctor"), "trace", "--to", to, "--pin-dir", node.pins,
                                "-o", "json", *flags))


def steps(answer):
    return [step["step"] for step in answer["steps"]]


def backend_of(answer):
    """The name of the server that it would be."""
    assert answer["verdict"]["reason"] == "Ok", answer
    place = answer["verdict"]["backend"]
    return NAMES[f"{place['address']}:{place['port']}"]


def test_trace_tells_the_turn_of_round_robin_and_does_not_take_it(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=2), chosen(vip, algorithm="RoundRobin"))
    for _ in range(12):
        told = backend_of(trace(node, f"{vip}:80"))
        assert {backend_of(trace(node, f"{vip}:80")) for _ in range(2)} == {told}
        assert name_at(node, vip) == told


def test_trace_names_service_revision_and_turn(node, vip):
    node.control.declare(web(vip, a=1), chosen(vip, algorithm="RoundRobin"))
    answer = trace(node, f"{vip}:80")
    assert answer["service"] == {"id": answer["service"]["id"], "kind": "LocalService",
                                 "namespace": "default", "name": name_of(vip)}
    assert steps(answer) == ["Frontend", "Revision", "Turn"]
    assert answer["verdict"] == {
        "reason": "Ok", "meaning": "a backend was chosen",
        "message": f"connect() goes to {SERVERS['a']}",
        "backend": {"address": "127.0.0.1", "port": 8081}}
    text = node.run(built("junctor"), "trace", "--to", f"{vip}:80", "--pin-dir", node.pins).stdout
    assert re.fullmatch(
        rf"  1  {re.escape(vip)}:80/TCP is an address of LocalService default/{name_of(vip)}: "
        r"service \d+, set \d+(, only for .*)?\n"
        r"  2  its revision \d+ is published: RoundRobin over 1 slots\n"
        r"  3  it is turn \d+: slot 0 of 1\n"
        r"Verdict: Ok: a backend was chosen\n"
        rf"Outcome: connect\(\) goes to {re.escape(SERVERS['a'])}\n", text)


def test_trace_works_while_no_junctord_runs(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1), chosen(vip, algorithm="RoundRobin"))
    node.junctord.kill()
    for _ in range(3):
        assert backend_of(trace(node, f"{vip}:80")) == name_at(node, vip)
    node.junctord.start()
    assert backend_of(trace(node, f"{vip}:80")) == name_at(node, vip)


@pytest.mark.parametrize("algorithm", ["Maglev", "SourceHash"])
def test_trace_finds_the_backend_of_a_client(node, vip, algorithm):
    node.control.declare(web(vip, a=1, b=1, c=1), chosen(vip, algorithm=algorithm))
    assert backend_of(trace(node, f"{vip}:80")) == name_at(node, vip)
    for host in range(1, 12):
        with node.tcp() as client:
            client.bind((f"127.1.0.{host}", 0))
            client.connect((vip, 80))
            assert backend_of(trace(node, f"{vip}:80", "--from", f"127.1.0.{host}")) == \
                http_name(client)


def test_trace_keeps_nobody_at_a_backend(node, vip):
    node.control.declare(web(vip, a=1, b=1, c=1), chosen(vip, algorithm="RoundRobin", affinity={
        "type": "ClientIP", "timeoutSeconds": 600}))
    answers = [trace(node, f"{vip}:80") for _ in range(3)]
    assert len({backend_of(answer) for answer in answers}) == 1
    assert "is not known to stay anywhere" in answers[-1]["steps"][3]["message"]
    told = backend_of(answers[0])
    assert name_at(node, vip) == told
    answer = trace(node, f"{vip}:80")
    assert backend_of(answer) == told
    assert steps(answer) == ["Frontend", "Revision", "Client", "Affinity"]
    assert re.search(rf"was at {SERVERS[told]} \d+ s ago, and stays there",
                     answer["steps"][3]["message"])


def test_trace_counts_against_no_limit(node, vip):
    node.control.declare(web(vip, a=1), chosen(vip, limits={"connections": 1}))
    for _ in range(4):
        assert backend_of(trace(node, f"{vip}:80")) == "a"
    with connect(node, vip, 80):
        answer = trace(node, f"{vip}:80")
        assert answer["verdict"]["reason"] == "LimitReached"
        assert answer["verdict"]["errno"] == "ECONNREFUSED"
        assert steps(answer)[-1] == "Limit"


def test_trace_tells_why_there_is_no_backend(node, vip):
    node.control.declare(web(vip))
    answer = trace(node, f"{vip}:80")
    assert answer["verdict"]["reason"] == "NoEndpoint"
    assert answer["verdict"]["message"] == "connect() fails with ECONNREFUSED"


def test_trace_of_no_service_and_of_another_protocol(node, vip):
    node.control.declare(service(name_of(vip), vip, udp(53), ["127.0.0.1"]))
    for to, flags in ((f"{vip}:53", ()), (f"{vip}:54", ("--udp",)), ("127.0.0.9:80", ())):
        answer = trace(node, to, *flags)
        assert answer["verdict"]["reason"] == "NotAService"
        assert answer["steps"] == []
    assert answer["verdict"]["message"] == "connect() passes untouched"
    assert trace(node, f"{vip}:53", "--udp")["verdict"]["backend"] == {"address": "127.0.0.1",
                                                                       "port": 53}


def test_trace_of_an_address_with_a_guard_route(node, vip):
    """What connect() says there, where the service has no such port."""
    node.control.declare(web(vip, a=1))

    def traced():
        return trace(node, f"{vip}:81")["verdict"]
    wait_for(lambda: "errno" in traced(), "the guard route is there")
    assert traced()["reason"] == "NotAService"
    assert traced()["errno"] == "EINVAL" == errno.errorcode[connect_errno(node, vip, 81)]
    assert traced()["message"].startswith("connect() passes untouched and fails with EINVAL: a guard")


def test_trace_of_an_address_without_a_route(node):
    answer = trace(node, "203.0.113.1:80")
    assert answer["verdict"]["errno"] == "ENETUNREACH"
    assert answer["verdict"]["message"].endswith("fails with ENETUNREACH: no route leads there")


def test_trace_from_another_namespace(node, vip, other_space):
    node.control.declare(web(vip, a=1))
    answer = trace(node, f"{vip}:80", "--netns", other_space.path)
    assert answer["verdict"]["reason"] == "OtherNamespace"
    assert answer["networkNamespace"] != trace(node, f"{vip}:80")["networkNamespace"]


@pytest.fixture
def other_space(machine):
    return machine.namespace("traced")


def test_trace_counts_nothing(node, vip):
    node.control.declare(web(vip, a=1), chosen(vip, limits={"newConnectionsPerSecond": 1}))
    before = counters(node)
    for _ in range(5):
        assert backend_of(trace(node, f"{vip}:80")) == "a"
        trace(node, "127.0.0.9:80")
    assert counters(node) == before
    assert name_at(node, vip) == "a"
    assert counters(node) != before


def counters(node):
    text = node.control.get("/metrics").body.decode()
    return [line for line in text.splitlines()
            if re.match(r"junctor_(decisions|service|backend_events)", line)]


@pytest.mark.parametrize("flags, words", [
    (("--to", "127.96.7.1"), "has no port"),
    (("--to", "here:80"), "--to"),
    (("--to", "127.96.7.1:80", "--from", "::1"), "another family"),
    (("--to", "127.96.7.1:80", "--netns", "no-such-one"), "cannot be entered"),
])
def test_trace_refuses_what_makes_no_sense(node, flags, words):
    done = node.run(built("junctor"), "trace", "--pin-dir", node.pins, *flags, check=False)
    assert done.returncode == 1 and words in done.stderr, done


def test_trace_without_tables_says_where_it_looked(node, tmp_path):
    done = node.run(built("junctor"), "trace", "--pin-dir", tmp_path, "--to", "127.96.7.1:80",
                    check=False)
    assert done.returncode == 1
    assert f"junctor has nothing below {tmp_path}" in done.stderr
