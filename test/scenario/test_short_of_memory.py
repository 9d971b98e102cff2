# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory runs out at the n-th allocation, of junctord itself or of a library, n = 1, 2, ...

  one node (lib/node.py), whose junctord has an allocator that fails on demand (lib/memory.py)
  VIPs 127.96.0.10 and .11, backends 127.0.0.1-3: nobody connects, tables are read

Of a write: junctord goes on, what is declared and served is the old state or the new one, whole, and
what was acknowledged is the new one. Of a start: it is ready, or it ends with a sentence, and the next
start finds everything. One allocation fails, or two or a hundred in a row.

SOAK=1 takes every n; else some of each.
"""

import contextlib
import http.client
import os
import signal

import pytest

from lib import reference
from lib.junctord import wait_for
from lib.memory import Memory
from lib.objects import API, SERVICES
from machine import Broken

SOAK = bool(os.environ.get("SOAK"))
OF_GLIBC = 127  # a thread's data of an NSS module, loaded to look for group junctor; as the next
OF_LIBUV = -signal.SIGABRT  # a loop that cannot be made; nothing of ours was touched yet
POINTS = {1: 30, 2: 30, 100: 6}  # how many allocations fail in a row -> how many places of each kind


def service(name, vip, *backends):
    return {"apiVersion": API, "kind": "LocalService",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"addresses": [vip],
                     "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                     "backends": [{"address": f"{one}:8081", "weight": 1} for one in backends]}}


def policy(name, algorithm):
    return {"apiVersion": API, "kind": "TrafficPolicy",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"targetRef": {"kind": "LocalService", "name": name}, "algorithm": algorithm,
                     "noBackendErrno": "ECONNREFUSED"}}


def state_of(*objects):
    return {reference.key_of(one): one for one in objects}


OLD = [service("web", "127.96.0.10", "127.0.0.1", "127.0.0.2"), policy("web", "Random")]
WRITES = {
    "apply": ("POST", "/v1/apply", [service("web", "127.96.0.10", "127.0.0.3"),
                                    policy("web", "RoundRobin"),
                                    service("new", "127.96.0.11", "127.0.0.1", "127.0.0.2")],
              state_of(service("web", "127.96.0.10", "127.0.0.3"), policy("web", "RoundRobin"),
                       service("new", "127.96.0.11", "127.0.0.1", "127.0.0.2"))),
    "delete": ("DELETE", f"{SERVICES}/web", None, state_of(policy("web", "Random"))),
}


@pytest.fixture
def memory(bare_node):
    memory = Memory(bare_node)
    bare_node.junctord.start()
    bare_node.control.declare(*OLD)
    return memory


def declared(node):
    return {reference.key_of(one): one
            for plural in ("localservices", "trafficpolicies")
            for one in node.control.get(f"/apis/junctor.dev/v1alpha1/{plural}").json["items"]}


def holds(node, state):
    return reference.is_listed(state, declared(node)) and \
        not reference.differences(reference.served(state), node.tables())


def restore(node):
    if not holds(node, state_of(*OLD)):
        node.control.declare(*OLD)
        if node.control.get(f"{SERVICES}/new").status == 200:
            node.control.remove("new")
    assert holds(node, state_of(*OLD))


def try_to(node, method, target, body):
    """The status of the answer, 0 where none came."""
    try:
        answer = node.control.request(method, target, body)
    except (OSError, http.client.HTTPException):
        return 0
    assert answer.status == 200 or not answer.body or b"memory" in answer.body, answer
    return answer.status


def points(count, length):
    """All of them, or some with the first and the last."""
    few = POINTS[length]
    if SOAK or count <= few:
        return range(1, count + 1)
    return sorted({1 + round(number * (count - 1) / (few - 1)) for number in range(few)})


@pytest.mark.parametrize("length", POINTS)
@pytest.mark.parametrize("name", WRITES)
@pytest.mark.timeout(0)
def test_a_write_is_whole_or_nothing(bare_node, memory, name, length):
    node, (method, target, body, after) = bare_node, WRITES[name]
    before = memory.calls
    assert try_to(node, method, target, body) == 200
    node.control.status()  # what comes after the answer has had its turn
    count = memory.calls - before
    restore(node)
    refused = 0
    for number in points(count, length):
        memory.fail(number, length)
        status = try_to(node, method, target, body)
        memory.restore()
        where = f"{name}: allocation {number} of {count}, {length} in a row, answered {status}"
        assert node.junctord.is_running(), where
        wait_for(lambda: node.control.status()["synced"], where)
        is_new = holds(node, after)
        assert is_new or holds(node, state_of(*OLD)), where
        assert is_new or status != 200, f"{where}: acknowledged and not there"
        refused += not is_new
        restore(node)
    assert refused, "no write was ever refused: nothing failed"
    assert node.junctord.terminate() == 0
    node.junctord.start()
    assert holds(node, state_of(*OLD)) and node.control.status()["degraded"] == []


@pytest.mark.parametrize("number", range(1, 5))
def test_clients_that_come_without_memory_do_not_end_junctord(bare_node, memory, number):
    """libuv ends a process that has no memory for a descriptor above all earlier ones."""
    with contextlib.ExitStack() as clients:
        for count in range(1, 61):
            memory.fail(number)
            clients.enter_context(bare_node.control.open())
            wait_for(lambda: memory.calls or not bare_node.junctord.is_running(), "it comes in")
            assert bare_node.junctord.is_running(), f"ended by client {count}"
        memory.restore()
    wait_for(lambda: bare_node.control.status()["synced"], "it goes on")


@pytest.mark.parametrize("length", POINTS)
@pytest.mark.timeout(0)
def test_a_start_goes_well_or_says_why_not(bare_node, memory, length):
    node = bare_node
    node.junctord.kill()
    memory.fail(0)
    node.junctord.start()
    count, failed = memory.calls, 0
    node.junctord.kill()
    for number in points(count, length):
        memory.fail(number, length)
        where = f"allocation {number} of {count}, {length} in a row"
        try:
            node.junctord.start()
            memory.restore()
            assert node.control.status()["degraded"] == [], where
            node.junctord.kill()
        except Broken:
            failed += 1
            code = node.junctord.process.wait(20)
            said = node.junctord.log().splitlines()[-1]
            ends = {1: "junctord: ", OF_GLIBC: "cannot allocate memory for thread-local data"}
            assert code == OF_LIBUV or said.startswith(ends.get(code, "?")), (where, code, said)
        memory.restore()
        assert not reference.differences(reference.served(state_of(*OLD)), node.tables()), where
    assert failed, "no start ever failed: nothing was short"
    node.junctord.start()
    assert holds(node, state_of(*OLD)) and node.control.status()["degraded"] == []
