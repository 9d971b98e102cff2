# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Guard routes: what a socket that no hook saw meets at a service address.

  node (lib/node.py)    beside its own blackholes, which hold none of these VIPs:
                        10.97.0.0/16, fd00:97::/64   behind a device where nobody answers
  junctord, nginx       blue 10.1.0.1:8081 [fd00:1::1]:8081, any 0.0.0.0:80 [::]:80
  outside               makes sockets in the node's namespace, in a cgroup without hooks

  VIPs 127.98.0.10 10.97.0.10 fd00:97::10, 80/TCP and 80/UDP  ->  blue
"""

import errno
import json
import socket

import pytest

from lib.clients import connect_errno, family_of, name_at
from lib.junctord import wait_for
from lib.node import Factory, built
from lib.objects import service, udp

VIPS = ["127.98.0.10", "10.97.0.10", "fd00:97::10"]
TABLES = {"127.98.0.10": "local", "10.97.0.10": "main", "fd00:97::10": "main"}
PROTOCOL = "106"


@pytest.fixture
def roads(bare_node, machine):
    """The node before its junctord."""
    gateway = machine.link(bare_node.space, machine.namespace("nowhere"))
    bare_node.ip("link", "set", f"c{machine.links}", "down")
    bare_node.ip("link", "set", f"c{machine.links}", "name", "nowhere")
    bare_node.ip("link", "set", "nowhere", "up")
    bare_node.ip("route", "add", "10.97.0.0/16", "via", gateway)
    bare_node.ip("-6", "route", "add", "fd00:97::/64", "dev", "nowhere")
    bare_node.servers.http(blue=["10.1.0.1:8081", "[fd00:1::1]:8081"],
                           any=["0.0.0.0:80", "[::]:80"])
    return bare_node


@pytest.fixture
def guarded(roads):
    roads.junctord.start()
    return roads


def outside_errno(factory, vip, kind=socket.SOCK_STREAM):
    """Of connect() in a cgroup without hooks; 0: it succeeds, None: it hangs."""
    with factory.make(family_of(vip), kind) as client:
        client.settimeout(1)
        try:
            return client.connect_ex((vip, 80))
        except TimeoutError:
            return None


def routes(node):
    """{address: (table, type)} of the routes that carry our number."""
    found = {}
    for family in ("-4", "-6"):
        said = node.said("ip", "-json", family, "route", "show", "table", "all", "proto", PROTOCOL)
        for route in json.loads(said or "[]"):
            found[route["dst"]] = route.get("table", "main"), route["type"]
    return found


def await_routes(node, *vips):
    wanted = {vip: (TABLES.get(vip, "main"), "blackhole") for vip in vips}
    wait_for(lambda: routes(node) == wanted, f"{wanted}, not {routes(node)}")


def web(*vips):
    backends = ["10.1.0.1:8081"] + (["[fd00:1::1]:8081"] if any(":" in vip for vip in vips) else [])
    return service("web", vips, 80, backends), service("web-udp", vips, udp(80), backends)


def test_a_socket_that_no_hook_saw_gets_an_error_at_once(guarded, machine):
    outside = Factory(guarded, cgroup=machine.cgroup("outside"))
    assert outside_errno(outside, "127.98.0.10") == 0, "a listener of any address gets it"
    assert outside_errno(outside, "10.97.0.10") in (None, errno.EAGAIN), "it goes out"
    guarded.control.declare(*web(*VIPS))
    await_routes(guarded, *VIPS)
    for vip in VIPS:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            assert outside_errno(outside, vip, kind) == errno.EINVAL, (vip, kind)
        assert name_at(guarded, vip) == "blue", "the hook comes before the route"
    # No rule comes before the table local, so a listener of any address stays out of reach.
    guarded.ip("rule", "add", "pref", "50", "lookup", "52")
    guarded.ip("route", "add", "local", "127.98.0.0/16", "dev", "lo", "table", "52")
    assert outside_errno(outside, "127.98.0.10") == errno.EINVAL
    guarded.control.remove("web")
    await_routes(guarded, *VIPS)  # the UDP service has them still
    guarded.control.remove("web-udp")
    await_routes(guarded)
    assert guarded.control.counter("junctor_guard_routes") == 0
    assert connect_errno(guarded, "127.98.0.10") == 0, "nobody's address any more"


def test_routes_follow_the_addresses(guarded):
    guarded.control.declare(*web("10.97.0.10", "10.97.0.11"))
    await_routes(guarded, "10.97.0.10", "10.97.0.11")
    guarded.control.declare(*web("10.97.0.11", "10.97.0.12"))
    await_routes(guarded, "10.97.0.11", "10.97.0.12")
    assert guarded.control.counter("junctor_guard_routes") == 2


def test_the_nodes_own_addresses_and_the_routes_of_others_are_left(guarded):
    guarded.ip("address", "add", "10.97.0.20", "dev", "lo")
    guarded.ip("route", "add", "10.97.0.21/32", "dev", "nowhere", "metric", "500")
    guarded.ip("-6", "route", "add", "fd00:97::21/128", "dev", "nowhere", "metric", "500")
    vips = ["10.97.0.20", "10.97.0.21", "10.97.0.22", "fd00:97::21"]
    guarded.control.declare(*web(*vips))
    wait_for(lambda: "10.97.0.22" in routes(guarded), "the others are set")
    assert "10.97.0.20" not in routes(guarded)
    for vip in ("10.97.0.21", "fd00:97::21"):
        assert "nowhere" in guarded.said("ip", "route", "get", vip)
    # One that comes later wins, too.
    guarded.ip("route", "add", "10.97.0.22/32", "dev", "nowhere", "metric", "500")
    assert "nowhere" in guarded.said("ip", "route", "get", "10.97.0.22")
    guarded.control.remove("web", "web-udp")
    await_routes(guarded)
    for vip in ("10.97.0.21", "10.97.0.22"):
        assert f"{vip} dev nowhere" in guarded.said("ip", "route", "show")
    assert "fd00:97::21 dev nowhere" in guarded.said("ip", "-6", "route", "show")


def test_routes_outlive_junctord_and_are_repaired_by_the_next(guarded):
    guarded.control.declare(*web("10.97.0.10", "127.98.0.10"))
    await_routes(guarded, "10.97.0.10", "127.98.0.10")
    assert guarded.junctord.terminate() == 0
    await_routes(guarded, "10.97.0.10", "127.98.0.10")
    guarded.ip("route", "del", "10.97.0.10", "proto", PROTOCOL)
    guarded.ip("route", "add", "blackhole", "10.97.0.99", "proto", PROTOCOL, "metric", "4294967294")
    guarded.junctord.start()
    await_routes(guarded, "10.97.0.10", "127.98.0.10")
    guarded.junctord.kill()
    done = guarded.run(built("junctor"), "cleanup", "--pin-dir", guarded.pins, "--cgroup",
                       guarded.cgroup)
    assert "removed 2 guard routes" in done.stdout, done.stdout
    await_routes(guarded)


def test_without_guard_routes_there_are_none(roads):
    config = roads.folder / "junctord.yaml"
    roads.junctord.start()
    roads.control.declare(*web("10.97.0.10"))
    await_routes(roads, "10.97.0.10")
    config.write_text("guardRoutes: false\n", encoding="ascii")
    roads.junctord.restart(config=str(config))
    await_routes(roads)
    roads.control.declare(*web("10.97.0.10", "10.97.0.11"))
    assert name_at(roads, "10.97.0.11") == "blue"
    assert routes(roads) == {}
