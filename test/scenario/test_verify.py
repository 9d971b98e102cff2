# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Entries of the kernel tables that somebody changed by hand are named, and repaired in a minute.

  one node (lib/node.py) for each test, and bpftool that writes into its pinned tables
  VIP 127.96.0.10, 80/TCP and 53/UDP; 10.96.0.1, 80/TCP
"""

import json
import re
import struct
import subprocess
from pathlib import Path

import pytest

from lib.clients import connect, http_name
from lib.junctord import wait_for
from lib.node import built
from lib.objects import policy, service
from machine import run

REPAIR_SECONDS = 75  # once a minute, and a busy machine


class Tables:
    """The pinned tables of a node, as bpftool sees them. Keys: an index, or bytes."""

    def __init__(self, node):
        self.folder, = Path(node.pins).glob("v*")

    def bpftool(self, verb, table, *words):
        return run("bpftool", "-j", "map", verb, "pinned", f"{self.folder}/{table}", *words)

    def get(self, table, key):
        found = json.loads(self.bpftool("lookup", table, "key", "hex", *hexed(key)))
        return bytes(int(word, 16) for word in found["value"])

    def put(self, table, key, value):
        self.bpftool("update", table, "key", "hex", *hexed(key), "value", "hex", *hexed(value))

    def delete(self, table, key):
        self.bpftool("delete", table, "key", "hex", *hexed(key))

    def change(self, table, key, at, data):
        """Other bytes at one place of an entry."""
        value = self.get(table, key)
        self.put(table, key, value[:at] + data + value[at + len(data):])

    def way(self, key):
        """(service id, set, revision, first slot, its endpoint) of a frontend."""
        service_id, number = struct.unpack("=II", self.get("jn_frontends", key)[:8])
        revision, = struct.unpack("=I", self.get("jn_sets", number)[:4])
        slot, = struct.unpack("=I", self.get("jn_revisions", revision)[4:8])
        endpoint, = struct.unpack("=I", self.get("jn_slots", slot)[:4])
        return service_id, number, revision, slot, endpoint


def hexed(data):
    if isinstance(data, int):
        data = struct.pack("=I", data)
    return [f"{byte:02x}" for byte in data]


def frontend(address, port, proto=6):
    return bytes(10) + b"\xff\xff" + bytes(map(int, address.split("."))) + \
        struct.pack("!H", port) + bytes([proto, 0])


WEB, FAR = frontend("127.96.0.10", 80), frontend("10.96.0.1", 80)
STRAY = frontend("127.96.9.9", 80)


def spoil_frontends(node, tables):
    tables.delete("jn_frontends", WEB)
    tables.change("jn_frontends", FAR, 4, struct.pack("=I", 4711))
    tables.put("jn_frontends", STRAY, bytes(16))
    return ["frontend 127.96.0.10:80/TCP: it is missing",
            r"frontend 10.96.0.1:80/TCP: service id \d+, set 4711",
            "frontend 127.96.9.9:80/TCP: leads to service id 0"]


def spoil_sets(node, tables):
    """One leads nowhere; the other to the revision of the first, which must not lose it."""
    _, far, *_ = tables.way(FAR)
    _, web, *_ = tables.way(WEB)
    tables.put("jn_sets", far, tables.get("jn_sets", web))
    return [rf"set {far} \(IPv4\): it publishes revision \d+, another's"]


def spoil_word(node, tables):
    _, web, *_ = tables.way(WEB)
    tables.put("jn_sets", web, bytes(8))
    return [rf"set {web} \(IPv4\): it publishes no revision"]


def spoil_slots(node, tables):
    _, number, _, slot, _ = tables.way(WEB)
    tables.put("jn_slots", slot, struct.pack("=IHH", 77, 0, 0))
    return [rf"set {number} \(IPv4\)"]


def spoil_rules(node, tables):
    _, number, revision, *_ = tables.way(WEB)
    tables.change("jn_revisions", revision, 16 + 8, struct.pack("=I", 1))  # max_connections
    return [rf"set {number} \(IPv4\)"]


def spoil_endpoints(node, tables):
    *_, endpoint = tables.way(FAR)
    tables.change("jn_endpoints", endpoint, 12, bytes([10, 1, 0, 4]))
    *_, other = tables.way(WEB)
    tables.change("jn_endpoints", other, 18, struct.pack("=H", 0))  # weight
    return [rf"endpoint {endpoint}: 10.1.0.4:8083", rf"endpoint {other}: .* weight 0,"]


def spoil_names(node, tables):
    service_id, *_ = tables.way(WEB)
    tables.delete("jn_names", service_id)
    return [rf"name of service id {service_id}: it is missing"]


def spoil_generation(node, tables):
    tables.change("jn_meta", 0, 0, struct.pack("=Q", 4711))
    return ["the tables' generation: 4711"]


def spoil_routes(node, tables):
    node.ip("route", "del", "blackhole", "10.96.0.1", "proto", "106", "metric", "4294967294")
    node.ip("route", "add", "blackhole", "10.96.0.77", "proto", "106", "metric", "4294967294")
    return ["guard route 10.96.0.1: it is missing", "guard route 10.96.0.77: it is there"]


SPOILS = [spoil_frontends, spoil_sets, spoil_word, spoil_slots, spoil_rules, spoil_endpoints,
          spoil_names, spoil_generation, spoil_routes]


def verify(node, *flags):
    return node.run(built("junctor"), "verify", "--socket", node.socket_path, *flags, check=False)


def drifts(node):
    answer = node.control.get("/v1/verify")
    assert answer.status == 200
    assert answer.json["found"] == len(answer.json["drifts"])
    return [f"{one['entry']}: {one['found']}" for one in answer.json["drifts"]]


def declare(node):
    node.servers.http(a="127.0.0.1:8081", b="127.0.0.1:8082", c="10.1.0.1:8083")
    node.control.declare(
        service("web", "127.96.0.10", 80, ["127.0.0.1:8081", "127.0.0.1:8082"]),
        service("far", "10.96.0.1", 80, ["10.1.0.1:8083"]),
        policy("web", "web", algorithm="LeastConnections", limits={"connections": 100},
               outlier={"consecutiveFailures": 5}))
    wait_for(lambda: "10.96.0.1" in node.said("ip", "route", "show", "proto", "106"),
             "guard routes are set")


def assert_serves(node):
    for _ in range(4):
        with connect(node, "127.96.0.10", 80) as client:
            assert http_name(client) in "ab"
        with connect(node, "10.96.0.1", 80) as client:
            assert http_name(client) == "c"


def test_nothing_differs(own_node):
    declare(own_node)
    said = verify(own_node)
    assert (said.returncode, said.stdout) == \
        (0, "2 services compared, 0 entries of the kernel tables are not as declared\n")


@pytest.mark.parametrize("spoil", SPOILS)
def test_each_drift_is_named(own_node, spoil):
    """By a verification that repairs nothing, twice."""
    declare(own_node)
    expected = spoil(own_node, Tables(own_node))
    first = drifts(own_node)
    assert len(first) == len(expected)
    for words in expected:
        assert [line for line in first if re.match(words, line)], (words, first)
    assert drifts(own_node) == first
    said = verify(own_node)
    assert said.returncode == 1
    assert f"{len(expected)} entries of the kernel tables are not as declared" in said.stdout


def test_a_write_that_the_kernel_refuses_is_told_instead_of_a_comparison(own_node):
    """Until the kernel takes it: the table of frontends is frozen, and takes no entry any more."""
    declare(own_node)
    table, = Path(own_node.pins).glob("v*/jn_frontends")
    subprocess.run(["bpftool", "map", "freeze", "pinned", table], check=True)
    answer = own_node.control.put(service("late", "127.96.0.99", 80, []))
    assert answer.status == 503, answer
    done = verify(own_node)
    assert done.returncode == 1, done
    assert "the kernel refuses generation" in done.stderr


@pytest.mark.parametrize("spoils", [[spoil_endpoints, spoil_names, spoil_sets, spoil_frontends,
                                     spoil_generation, spoil_routes],
                                    [spoil_word], [spoil_rules, spoil_slots]],
                         ids=["all tables", "no revision", "slots and rules"])
def test_drift_is_repaired_in_a_minute(own_node, spoils):
    node = own_node
    declare(node)
    for spoil in spoils:
        spoil(node, Tables(node))
    found = len(drifts(node))
    assert found
    wait_for(lambda: not drifts(node), "all is repaired", REPAIR_SECONDS)
    assert_serves(node)
    assert node.control.counter("junctor_drift_found_total") == found
    assert node.control.counter("junctor_drift_repaired_total") == found
    assert node.junctord.log().count("health: drift:") == found
    assert node.control.get("/v1/status").json["degraded"] == []
    # What was replaced and what was not still have one owner each: changes and a new life go well.
    node.control.declare(service("web", "127.96.0.10", 80, ["127.0.0.1:8081"]))
    node.junctord.restart()
    assert drifts(node) == []
    assert_serves(node)


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_start_puts_right_what_was_spoiled_while_nobody_looked(own_node, spoil):
    """It refused where two sets led to one revision: "the pinned tables are damaged"."""
    node = own_node
    declare(node)
    node.junctord.terminate()
    spoil(node, Tables(node))
    node.junctord.start()
    wait_for(lambda: not drifts(node), "all is right, guard routes after a moment")
    assert_serves(node)
