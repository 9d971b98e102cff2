# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tables grow as they fill; an object has limits, and reaching one is an error that names it.

  one node (lib/node.py) for each test
  VIP 127.96.0.10, 80/TCP          ->  nginx a 127.0.0.1:8081: served all the time
  127.128.0.0/9, 10.128.0.0/9      ->  VIPs and backends nobody connects to; they fill the tables
"""

import ipaddress
import json
import resource
import time

import pytest

from lib.clients import connect_errno, name_at, names_at
from lib.junctord import wait_for
from lib.ledger import Load
from lib.objects import service

FILLER_VIPS = int(ipaddress.ip_address("127.128.0.0"))
FILLER_BACKENDS = int(ipaddress.ip_address("10.128.0.0"))


def address(base, number):
    return str(ipaddress.ip_address(base + number))


def filler(number, addresses=1, ports=1, backends=0):
    """An object with that many of each; no two of them share an address."""
    named = [{"name": f"p{index}", "port": 1 + index} for index in range(ports)]
    return service(f"filler-{number}",
                   [address(FILLER_VIPS, number * 16 + index) for index in range(addresses)], named,
                   [address(FILLER_BACKENDS, number * 8192 + index) for index in range(backends)])


def used(node):
    return {name: has["used"] for name, has in node.control.status()["limits"].items()
            if name != "clients"}


@pytest.fixture
def served(own_node):
    own_node.servers.http(a="127.0.0.1:8081")
    own_node.control.declare(service("web", "127.96.0.10", 80, ["127.0.0.1:8081"]))
    return own_node


# name of the table -> (what fills it nearly, what does not fit any more)
FILLED = {
    "services": ([filler(number, ports=64) for number in range(1023)],
                 filler(5000, ports=64)),
    "frontends": ([filler(number, addresses=16, ports=64) for number in range(127)],
                  filler(5000, addresses=16, ports=64)),
    "endpoints": ([filler(1, ports=64, backends=8192)], filler(2, ports=64, backends=8192)),
}


@pytest.mark.parametrize("name", FILLED)
def test_tables_grow_and_no_connection_fails(served, name):
    """Past every power of two on the way, 65,536 too, while connections come and go."""
    nearly, more = FILLED[name]
    with Load(served, "127.96.0.10", busy=2, fresh=50) as load:
        served.control.request("POST", "/v1/apply", nearly, timeout=60)
        before = used(served)
        assert before[name] > 65000
        small = service("small", "127.96.0.11", 80, ["127.0.0.1:8081"])
        assert served.control.apply(small, more, timeout=60).status == 200
        assert used(served)[name] > before[name] + 60
        assert name_at(served, "127.96.0.11") == "a"
        served.junctord.restart()
        assert used(served)[name] > before[name] + 60
        assert name_at(served, "127.96.0.10") == "a"
    load.ledger.assert_nothing_lost()


def test_a_limit_within_one_object(served):
    one_too_many = service("wide", "127.96.0.20", 80,
                           [address(FILLER_BACKENDS, index) for index in range(8193)])
    answer = served.control.put(one_too_many)
    assert answer.status == 422
    assert answer.causes["spec.backends"]["reason"] == "LimitReached"
    one_too_many["spec"]["backends"].pop()
    assert served.control.put(one_too_many).status == 201
    assert used(served)["endpoints"] == 8193


def test_tables_are_given_back(served):
    """Ids rest for a minute after their use, in this life and in the next, but are not in use."""
    before = used(served)
    for _ in range(4):
        served.control.declare(filler(1, 1, 10, 8192))
        assert used(served)["endpoints"] == 10 * 8192 + before["endpoints"]
        served.control.remove("filler-1")
        wait_for(lambda: used(served) == before, "what nobody uses is given back")
        served.junctord.restart()
    assert used(served) == before
    assert name_at(served, "127.96.0.10") == "a"


def cold_load(node, count):
    """count services of ten backends each, in one request; the last one has a real server."""
    lines = [json.dumps(service(f"svc-{number}", address(FILLER_VIPS, number), 80,
                                [address(FILLER_BACKENDS, number * 10 + index)
                                 for index in range(10)])) for number in range(count - 1)]
    lines.append(json.dumps(service("last", "127.96.0.99", 80, [
        f"127.0.0.{1 + index}:8082" for index in range(10)])))
    begin = time.monotonic()
    answer = node.control.request("POST", "/v1/apply", "\n".join(lines) + "\n", timeout=120)
    seconds = time.monotonic() - begin
    assert answer.status == 200, answer
    assert len(answer.json["results"]) == count
    return seconds


@pytest.mark.parametrize("count", [10000, pytest.param(50000, marks=pytest.mark.slow)])
def test_many_services_load_serve_and_come_back(served, record_property, count):
    names = {f"n{index}": f"127.0.0.{1 + index}:8082" for index in range(10)}
    served.servers.http(**names)
    record_property("seconds", cold_load(served, count))
    assert used(served)["services"] == count + 1
    assert used(served)["endpoints"] == count * 10 + 1
    assert set(names_at(served, "127.96.0.99", count=200)) == set(names)
    assert name_at(served, "127.96.0.10") == "a"
    assert len(served.control.get("/apis/junctor.dev/v1alpha1/localservices",
                                  timeout=60).json["items"]) == count + 1
    record_property("restart seconds", served.junctord.restart())
    assert used(served)["services"] == count + 1
    assert set(names_at(served, "127.96.0.99", count=200)) == set(names)
    generation = served.control.status()["generation"]
    served.control.remove("last")
    assert connect_errno(served, "127.96.0.99") != 0
    assert served.control.status()["generation"] == generation + 1


def test_too_few_descriptors_to_grow_are_named(served):
    """The refusal asked for another kernel."""
    def limit(number):
        resource.prlimit(served.junctord.pid, resource.RLIMIT_NOFILE, (number, hard))

    before, hard = resource.prlimit(served.junctord.pid, resource.RLIMIT_NOFILE)
    many, more = FILLED["services"]
    limit(max(served.junctord.open_files()) + 8)
    answer = served.control.apply(*many, more, timeout=60)
    assert answer.status == 503
    assert "too few file descriptors" in answer.json["message"]
    assert "allow more (ulimit -n" in answer.json["message"]
    assert used(served)["services"] == 1
    limit(before)
    assert served.control.apply(*many, more, timeout=60).status == 200
    assert name_at(served, "127.96.0.10") == "a"
