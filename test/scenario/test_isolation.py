# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What junctor leaves alone.

                 node (lib/node.py)                          elsewhere
  namespace      its own                                     another one, lo only
  junctord       here, attached at the node's cgroup         none
  nginx          blue 127.0.0.1:8081, own 127.97.0.5:80      far 127.97.0.5:80
  cgroup         one with the hooks, one beside it           the node's, with the hooks

  VIP 127.97.0.5, 80/TCP  ->  blue.  The same address is a real server's, in both namespaces: who
  answers tells whether the socket was led to the service. It is the node's own address, so no guard
  route stands there.
"""

import errno
import socket

import pytest

from lib.clients import connect, connect_errno, http_name, kept_name, name_at, udp_name
from lib.junctord import wait_for
from lib.node import Factory
from lib.objects import service, udp

VIP = "127.97.0.5"

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def world(node):
    node.ip("address", "add", VIP, "dev", "lo")
    node.servers.http(blue=["127.0.0.1:8081", "10.1.0.1:8081"], own=f"{VIP}:80",
                      green="127.0.0.2:8081")
    node.control.declare(service("overlay", VIP, 80, ["127.0.0.1:8081"]))


@pytest.fixture(scope="module")
def elsewhere(node, module_machine):
    """Makes sockets in another namespace, in the node's cgroup; nginx "far" serves there."""
    space = module_machine.namespace("elsewhere")
    space.run("ip", "route", "add", "blackhole", "10.96.0.0/16")
    space.run("ip", "address", "add", "10.1.0.1", "dev", "lo")
    config = node.folder / "far.conf"
    config.write_text(f"""
daemon off; user root; pid {node.folder}/far.pid; error_log {node.folder}/far.log; events {{ }}
http {{ access_log off; server {{ listen {VIP}:80; listen 10.1.0.1:8081; return 200 "far\\n"; }} }}
""", encoding="utf-8")
    node.start("nginx", "-e", node.folder / "far.log", "-c", config, space=space)
    made = Factory(node, space=space)

    def listens():
        with tcp_of(made) as client:
            return not client.connect_ex(("10.1.0.1", 8081))
    wait_for(listens, "nginx far listens")
    return made


@pytest.fixture(scope="module")
def outside(node, module_machine):
    """Makes sockets in the node's namespace, in another cgroup."""
    return Factory(node, cgroup=module_machine.cgroup("outside"))


def tcp_of(factory):
    made = factory.make(socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(5)
    return made


def name_of(factory, address, port=80):
    with tcp_of(factory) as client:
        client.connect((address, port))
        return http_name(client)


def test_a_loopback_service_is_bound_to_the_namespace_of_junctord(node, elsewhere):
    assert name_at(node, VIP) == "blue"
    assert name_of(elsewhere, VIP) == "far"
    # A VIP that is no loopback address, with a loopback backend: 127.0.0.1 means two servers, too.
    node.control.declare(service("half", "10.96.0.30", 80, ["127.0.0.1:8081"]))
    assert name_at(node, "10.96.0.30") == "blue"
    with tcp_of(elsewhere) as client:
        assert client.connect_ex(("10.96.0.30", 80)) == errno.EINVAL, "the blackhole's own answer"


def test_a_service_without_loopback_addresses_is_of_every_namespace(node, elsewhere):
    node.control.declare(service("wide", "10.96.0.31", 80, ["10.1.0.1:8081"]))
    assert name_at(node, "10.96.0.31") == "blue"
    assert name_of(elsewhere, "10.96.0.31") == "far"


def test_passing_sockets_of_other_namespaces_are_counted(node, elsewhere):
    def passed():
        return [value for _, labels, value in node.control.metrics()
                if "OtherNamespace" in labels.values()]
    before = sum(passed())
    assert name_of(elsewhere, VIP) == "far"
    assert sum(passed()) == before + 1


def test_sockets_outside_the_cgroup_pass(node, outside):
    assert name_of(outside, VIP) == "own"
    with tcp_of(outside) as client:
        client.connect((VIP, 80))
        assert client.getpeername() == (VIP, 80)
    assert name_at(node, VIP) == "blue"


def test_unrelated_destinations_pass(node):
    with connect(node, "127.0.0.1", 8081) as client:
        assert client.getpeername() == ("127.0.0.1", 8081)
        assert kept_name(client) == "blue"
    assert connect_errno(node, VIP, 81) == errno.ECONNREFUSED, "nobody listens there"
    assert connect_errno(node, "127.96.0.99") == errno.EINVAL, "the blackhole's own answer"


def test_a_backend_of_two_objects_stays_with_the_other_one(node):
    node.control.declare(service("first", "127.96.0.41", 80, ["127.0.0.1:8081", "127.0.0.2:8081"]),
                         service("second", "127.96.0.42", 80, ["127.0.0.2:8081"]))
    with connect(node, "127.96.0.42", 80) as client:
        node.control.remove("first")
        assert name_at(node, "127.96.0.42") == "green"
        assert client.getpeername() == ("127.96.0.42", 80)
        assert kept_name(client) == "green"
    assert connect_errno(node, "127.96.0.41") == errno.EINVAL
    node.control.declare(service("second", "127.96.0.42", 80, []))
    assert connect_errno(node, "127.96.0.42") == errno.ECONNREFUSED
    assert name_at(node, "127.0.0.2", 8081) == "green"


def test_one_port_number_is_two_ports(node):
    """53/TCP and 53/UDP of one VIP belong to two objects and change alone."""
    node.servers.dns("tcp-and-udp", "127.0.0.1")
    node.control.declare(service("stream", "127.96.0.50", 53, ["127.0.0.1:8081"]),
                         service("datagram", "127.96.0.50", udp(53), ["127.0.0.1"]))
    assert name_at(node, "127.96.0.50", 53) == "blue"
    with node.udp() as client:
        assert udp_name(client, ("127.96.0.50", 53)) == ("tcp-and-udp", ("127.96.0.50", 53))
    node.control.remove("stream")
    assert connect_errno(node, "127.96.0.50", 53) == errno.EINVAL
    with node.udp() as client:
        assert udp_name(client, ("127.96.0.50", 53))[0] == "tcp-and-udp"
    node.control.declare(service("stream", "127.96.0.50", 53, ["127.0.0.2:8081"]))
    node.control.remove("datagram")
    assert name_at(node, "127.96.0.50", 53) == "green"
    with node.udp() as client, pytest.raises(OSError) as refused:
        client.sendto(b"x", ("127.96.0.50", 53))
    assert refused.value.errno == errno.EINVAL


def test_objects_of_two_namespaces_may_have_one_name(node):
    for namespace, vip, server in (("red", "127.96.0.61", "127.0.0.1:8081"),
                                   ("black", "127.96.0.62", "127.0.0.2:8081")):
        node.control.declare(service("same", vip, 80, [server], namespace=namespace))
    assert (name_at(node, "127.96.0.61"), name_at(node, "127.96.0.62")) == ("blue", "green")
    node.control.remove("/apis/junctor.dev/v1alpha1/namespaces/red/localservices/same")
    assert connect_errno(node, "127.96.0.61") == errno.EINVAL
    assert name_at(node, "127.96.0.62") == "green"
