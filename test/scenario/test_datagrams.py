# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Many questions over UDP: every answer is named after the address that was asked.

  one node (lib/node.py)
  VIP 127.96.8.1, 53/UDP  ->  dnsmasq a 127.0.0.1, b 127.0.0.2
      10.96.8.2           ->  dnsmasq c 10.1.0.1, d 10.1.0.2
      fd00:96::8          ->  dnsmasq e fd00:1::1, f fd00:1::2
      127.96.8.9          ->  a socket that reads nothing

  SOAK=1    a million datagrams instead of some thousand
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from lib.objects import service, udp
from machine import run

SERVERS = {"a": "127.0.0.1", "b": "127.0.0.2", "c": "10.1.0.1", "d": "10.1.0.2",
           "e": "fd00:1::1", "f": "fd00:1::2"}
PLACES = {"127.96.8.1": "ab", "10.96.8.2": "cd", "fd00:96::8": "ef"}
SINK, SINK_VIP = "127.0.0.9", "127.96.8.9"
KINDS = ["connected", "unconnected", "fresh", "reconnected"]
DATAGRAMS = 1_000_000 if os.environ.get("SOAK") else 6_000  # questions and answers
EACH = DATAGRAMS // 2 // len(KINDS)
TABLE = 32768  # unconnected sockets that are known, at most
FLOOD = TABLE * 5 // 4
NEARLY = TABLE * 9 // 10  # an LRU table forgets some before it is full


@pytest.fixture(scope="module", autouse=True)
def world(node):
    for name, address in SERVERS.items():
        node.servers.dns(name, address)
    sink = node.udp()
    sink.bind((SINK, 53))
    node.control.declare(*(service(f"names-{names}", vip, udp(53), [SERVERS[one] for one in names])
                           for vip, names in PLACES.items()),
                         service("sink", SINK_VIP, udp(53), [SINK]))
    yield
    sink.close()


class Program:
    """datagrams.py in the node."""

    def __init__(self, node, kind, count, **places):
        words = [f"{vip}={','.join(names)}" for vip, names in (places or PLACES).items()]
        self.process = node.python("datagrams.py", kind, count, *words, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def begin(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        said = self.process.stdout.read()
        assert self.process.wait() == 0, said
        return json.loads(said)


def run_all(programs):
    for one in programs:
        one.begin()
    return [one.result() for one in programs]


def known(node, table):
    pin, = Path(node.pins).glob(f"v*/{table}")
    return len(json.loads(run("bpftool", "-j", "map", "dump", "pinned", pin)))


def assert_right(results, count):
    for kind, found in zip(KINDS, results):
        assert (found["right"], found["wrong"]) == (count, {}), (kind, found)


@pytest.mark.timeout(0)
def test_every_answer_is_named_after_the_address_that_was_asked(node):
    results = run_all([Program(node, kind, EACH) for kind in KINDS])
    print(f"\n{2 * len(KINDS) * EACH} datagrams, asked again: "
          f"{[found['asked again'] for found in results]}")
    assert_right(results, EACH)


def test_a_table_that_is_full_of_names_forgets_the_oldest_only(node):
    count = 1000
    programs = [Program(node, kind, count) for kind in KINDS]
    flood = Program(node, "flood", FLOOD, **{SINK_VIP: ""})
    flood.begin()
    flood.result()
    for table in ("jn_udp_peer", "jn_udp_choice"):
        assert NEARLY <= known(node, table) <= TABLE, table
    more = Program(node, "flood", FLOOD, **{SINK_VIP: ""})
    more.begin()  # goes on all the while
    assert_right(run_all(programs), count)
    more.result()
