# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One object with very many slots: it has a budget, and nobody waits while they are built.

  one node (lib/node.py) for each test
  VIP 127.96.0.10, 80/TCP        ->  nginx a 127.0.0.1:8081: served all the time
  VIP 127.96.0.11, 1..1000/TCP   ->  the same, b 127.0.0.2:8081, and backends nobody connects to
"""

import threading
import time

import pytest

from lib import kube
from lib.clients import name_at
from lib.crash import CrashAt
from lib.junctord import wait_for
from lib.objects import backend, policy, service

PORTS = range(1, 1001)
BUDGET = 16777216  # slots of one object: JN_MAX_OBJECT_SLOTS


def wide(vips, endpoints):
    """A Service of a thousand ports, and its slices: one for each family."""
    slices = [kube.slice_of("wide", endpoints[family],
                            {f"p{port}": 8081 for port in PORTS}, name=f"wide-{family}")
              for family in endpoints]
    return [kube.service("wide", vips, [kube.port(port, name=f"p{port}", target=8081)
                                        for port in PORTS]), *slices]


def chosen(algorithm, **spec):
    whole = policy("wide", "wide", algorithm=algorithm, **spec)
    whole["spec"]["targetRef"]["kind"] = "Service"
    return whole


def slots(node):
    return node.control.status()["limits"]["slots"]["used"]


@pytest.fixture
def served(own_node):
    own_node.servers.http(a="127.0.0.1:8081", b="127.0.0.2:8081")
    own_node.control.declare(service("web", "127.96.0.10", 80, ["127.0.0.1:8081"]))
    return own_node


class Asking(threading.Thread):
    """Asks for the status until it is told to stop, and notes what came when."""

    def __init__(self, node):
        super().__init__()
        self.node, self.generations, self.longest = node, [], 0
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.is_set():
            begin = time.monotonic()
            self.generations.append(self.node.control.status()["generation"])
            self.longest = max(self.longest, time.monotonic() - begin)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()


def answers_before(node, change):
    """The generations that the status had between the beginning and the answer of a change."""
    with Asking(node) as asking:
        asked = len(asking.generations)
        change()
        return asking.generations[asked:], asking.longest


@pytest.mark.parametrize("step", ["first", "again"])
def test_a_thousand_tables_are_built_and_others_are_answered(served, record_property, step):
    """Until the answer of the big write, whoever asks sees the old state."""
    served.control.declare(*wide("127.96.0.11", {"v4": ["127.0.0.1", "127.0.0.2"]}))
    if step == "again":  # the tables do not have to grow any more
        served.control.declare(chosen("Maglev"))
        served.control.declare(chosen("Random"))
    before = served.control.status()["generation"]
    seen, longest = answers_before(served, lambda: served.control.declare(chosen("Maglev")))
    record_property("longest wait", longest)
    assert seen.count(before) >= 20, f"{len(seen)} answers before that of the big write"
    assert seen == sorted(seen)
    wait_for(lambda: slots(served) == 1000 * 8191 + 1, "smaller tables, and nothing else")
    for port in (1, 1000):
        assert name_at(served, "127.96.0.11", port) in ("a", "b")


def heavy(ports, backends):
    """Weights that make RoundRobin's cycles as long as they get."""
    return [service("heavy", "127.96.0.12", [{"name": f"p{port}", "port": port}
                                             for port in range(1, ports + 1)],
                    [backend(f"10.128.{index // 250}.{1 + index % 250}", weight=1 + index % 999)
                     for index in range(backends)]),
            policy("heavy", "heavy", algorithm="RoundRobin")]


def test_what_takes_long_to_build_keeps_nobody_waiting(served):
    """Half a billion steps: built where requests are answered, two would be answered meanwhile."""
    seen, _ = answers_before(served, lambda: served.control.declare(*heavy(48, 2500)))
    assert len(seen) > 100, f"{len(seen)} answers before that of the big write"


def test_what_takes_long_to_write_keeps_nobody_waiting(served):
    """Each store into a table traps into a tracer, which makes them slow, wherever they are made."""
    with CrashAt(served.junctord, "stores", 0) as counting:
        seen, _ = answers_before(served, lambda: served.control.declare(*heavy(12, 80)))
    assert counting.steps > 12 * 3000
    assert len(seen) > 100, f"{len(seen)} answers before that of the big write"


def test_an_object_beyond_its_budget_is_refused_and_nothing_changes(served):
    """A list of all backends behind each of 2,000 tables: with 200 of them it is too much."""
    endpoints = {"v4": [f"10.128.0.{1 + index}" for index in range(200)],
                 "v6": [f"fd00::{1 + index:x}" for index in range(200)]}
    served.control.declare(*wide(["127.96.0.11", "fd00:96::11"], endpoints))
    limited = {"limits": {"connectionsPerBackend": 1000}}
    before, generation = slots(served), served.control.status()["generation"]
    answer = served.control.apply(chosen("Maglev", **limited), timeout=60)
    assert answer.status == 422, answer
    cause = answer.causes["spec.algorithm"]
    assert cause["reason"] == "LimitReached"
    for word in ("default/wide", str(2000 * (8191 + 200)), str(BUDGET), "choose another algorithm"):
        assert word in cause["message"]
    assert (slots(served), served.control.status()["generation"]) == (before, generation)

    served.control.declare(chosen("Maglev"))  # without the list there is room
    wait_for(lambda: slots(served) == 2000 * 8191 + 1, "all of its tables")
    answer = served.control.put(wide("127.96.0.11", {})[0], f"{kube.SERVICES}/wide", timeout=60)
    assert answer.status == 200, answer  # one family only
    wait_for(lambda: slots(served) == 1000 * 8191 + 1, "the smaller half")
