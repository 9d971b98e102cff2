# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What junctor counts is what the clients did.

  one node (lib/node.py)
  VIP 127.96.0.10, 80/TCP           ->  nginx a 127.0.0.1:8081, b 127.0.0.2:8081
  VIP 127.96.0.53, 53/UDP           ->  dnsmasq 127.0.0.1:53
  VIP fd00:96::54, 53/UDP           ->  the same: reached by connected sockets only (v6 to v4)
  VIP 127.96.0.90, 80/TCP, 80/UDP   ->  nobody
"""

import errno
import re
import time

import pytest

from lib.clients import connect_errno, dns_question, name_at, udp_name
from lib.ledger import Load
from lib.objects import service, udp

FORWARDED, REFUSED = "junctor_service_forwarded_total", "junctor_service_refused_total"
DECISIONS = "junctor_decisions_total"

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def world(node):
    node.servers.http(a="127.0.0.1:8081", b="127.0.0.2:8081")
    node.servers.dns("four", "127.0.0.1")
    node.control.declare(
        service("web", "127.96.0.10", 80, ["127.0.0.1:8081", "127.0.0.2:8081"]),
        service("dns", "127.96.0.53", udp(53), ["127.0.0.1"]),
        service("dns64", "fd00:96::54", udp(53), ["127.0.0.1"]),
        service("nobody", "127.96.0.90", [{"name": "stream", "port": 80},
                                          {"name": "datagram", "port": 80, "protocol": "UDP"}], []))


class Change:
    """How far each counter goes while the with-block runs."""

    def __init__(self, node):
        self.node = node

    def read(self):
        return {(name, *sorted(labels.items())): value
                for name, labels, value in self.node.control.metrics() if name.endswith("_total")
                and name.startswith("junctor_")}

    def __enter__(self):
        self.before = self.read()
        return self

    def __exit__(self, *_):
        self.after = self.read()

    def of(self, metric, **labels):
        return sum(value - self.before.get(key, 0) for key, value in self.after.items()
                   if key[0] == metric and labels.items() <= dict(key[1:]).items())


def test_connections_of_the_ledger_are_those_of_the_counters(node):
    with Change(node) as change:
        with Load(node, "127.96.0.10", idle=20, busy=4, fresh=100) as load:
            time.sleep(1)
    load.ledger.assert_nothing_lost()
    connections = sum(len(load.ledger.of(kind)) for kind in ("open idle", "open busy", "fresh"))
    assert connections > 100
    assert change.of(FORWARDED, service="web", namespace="default", port="",
                     protocol="TCP") == connections
    assert change.of(FORWARDED) == change.of(DECISIONS, reason="Ok") == connections
    assert change.of(REFUSED) == 0
    assert change.of(DECISIONS) == connections, "and there is no other decision"


def test_unconnected_datagrams_are_counted_one_by_one(node):
    with Change(node) as change, node.udp() as client:
        for _ in range(7):
            udp_name(client, ("127.96.0.53", 53))
    assert change.of(FORWARDED, service="dns", protocol="UDP") == 7
    with Change(node) as change, node.udp() as client:
        client.connect(("127.96.0.53", 53))
        for _ in range(7):
            udp_name(client)
    assert change.of(FORWARDED, service="dns", protocol="UDP") == 1


def test_refusals_are_counted_by_service_and_by_reason(node):
    with Change(node) as change:
        for _ in range(5):
            assert connect_errno(node, "127.96.0.90") == errno.ECONNREFUSED
        for _ in range(3):
            with node.udp() as client, pytest.raises(ConnectionRefusedError):
                client.sendto(b"x", ("127.96.0.90", 80))
        with node.udp(10) as client, pytest.raises(OSError):
            client.sendto(dns_question(), ("fd00:96::54", 53))
    assert change.of(REFUSED, service="nobody", port="stream", protocol="TCP") == 5
    assert change.of(REFUSED, service="nobody", port="datagram", protocol="UDP") == 3
    assert change.of(REFUSED, service="dns64") == 1
    assert change.of(DECISIONS, reason="NoEndpoint") == 8
    assert change.of(DECISIONS, reason="FamilyMismatch") == 1
    assert change.of(REFUSED) == 9 and change.of(FORWARDED) == 0


def test_what_is_no_service_is_not_counted(node):
    with Change(node) as change:
        assert name_at(node, "127.0.0.1", 8081) == "a"
        assert connect_errno(node, "127.96.0.77") == errno.EINVAL
    assert change.of(DECISIONS) == change.of(FORWARDED) == change.of(REFUSED) == 0


def test_counters_go_on_over_a_restart(node):
    before = node.control.counter(FORWARDED, service="web")
    node.junctord.kill()
    for _ in range(10):
        name_at(node, "127.96.0.10")
    node.junctord.start()
    assert node.control.counter(FORWARDED, service="web") == before + 10


def test_every_metric_has_help_and_type(node):
    """Prometheus' text format: HELP and TYPE before the samples, which stand together."""
    lines = node.control.get("/metrics").body.decode().splitlines()
    helped, typed, seen = set(), {}, []
    for line in lines:
        if line.startswith("# HELP "):
            helped.add(line.split()[2])
        elif line.startswith("# TYPE "):
            typed[line.split()[2]] = line.split()[3]
        else:
            assert re.fullmatch(r'\w+(\{(\w+="[^"]*",?)+\})? \S+', line), line
            name = re.match(r"\w+", line)[0]
            if not seen or seen[-1] != name:
                seen.append(name)
    assert len(seen) == len(set(seen)), "samples of one metric stand together"
    assert set(seen) <= helped and set(seen) == set(typed)
    assert all(typed[name] == "counter" for name in seen if name.endswith("_total"))


def proc_field(node, name):
    text = node.said("cat", f"/proc/{node.junctord.pid}/status")
    return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1])


def test_what_junctord_takes_of_the_machine(node):
    process = node.control.status()["process"]
    metrics = {name: value for name, _, value in node.control.metrics() if "process_" in name}
    own = (proc_field(node, "VmRSS") - proc_field(node, "RssFile") -
           proc_field(node, "RssShmem")) << 10
    assert abs(process["privateBytes"] - own) < 4 << 20
    assert abs(metrics["junctor_process_private_memory_bytes"] - own) < 4 << 20
    assert process["residentBytes"] > process["privateBytes"]
    assert process["threads"] == metrics["process_threads"] == proc_field(node, "Threads")
    assert abs(process["openFiles"] - len(node.junctord.open_files())) <= 2
    assert process["maxFiles"] == metrics["process_max_fds"]
    assert abs(process["cpuMilliseconds"] / 1000 - node.junctord.cpu_seconds()) < 1
    before = process["wakeups"]
    for _ in range(5):
        node.control.get("/livez")
    assert node.control.status()["process"]["wakeups"] >= before + 5


def test_files_are_as_many_as_the_kernel_lets(own_node):
    own_node.junctord.terminate()
    own_node.junctord.start("prlimit", "--nofile=256:2048")
    assert own_node.control.status()["process"]["maxFiles"] == 2048
