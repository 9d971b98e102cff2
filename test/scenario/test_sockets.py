# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every way a socket can be led to a service address, and what it is told about its peer.

  one node (lib/node.py); the sockets are the node's

  VIP                        port        backends
  127.96.0.10                80/TCP ->   nginx blue 127.0.0.1:8081, green 127.0.0.2:8081, in turn
  fd00:96::10                80/TCP ->   nginx violet [fd00:1::1]:8081
  fd00:96::11                80/TCP ->   nginx blue 127.0.0.1:8081                (v6 to v4)
  127.96.0.53                53     ->   dnsmasq four 127.0.0.1:53                (UDP and TCP)
  127.96.0.54                53/UDP ->   dnsmasq other 127.0.0.2:53
  fd00:96::53                53/UDP ->   dnsmasq six [fd00:1::1]:53
  fd00:96::54                53/UDP ->   dnsmasq four 127.0.0.1:53                (v6 to v4)
  127.97.0.1                 80/TCP ->   nobody; an address of lo that answers to ping
"""

import errno
import select
import socket
import struct

import pytest

from lib.clients import (connect, connect_errno, disconnect, dns_name, dns_question, family_of,
                         http_name, kept_name, name_at, udp_name)
from lib.objects import policy, service, udp

V4, V6 = socket.AF_INET, socket.AF_INET6
MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN_CONNECT = 30
IPPROTO_MPTCP = 262
WEB = [("127.96.0.10", V4, "127.96.0.10"), ("::ffff:127.96.0.10", V6, "::ffff:127.96.0.10"),
       ("fd00:96::10", V6, "fd00:96::10"), ("fd00:96::11", V6, "fd00:96::11")]
DNS = [("127.96.0.53", V4, "four"), ("::ffff:127.96.0.53", V6, "four"), ("fd00:96::53", V6, "six")]

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def world(node):
    node.ip("address", "add", "127.97.0.1", "dev", "lo")
    node.servers.http(blue="127.0.0.1:8081", green="127.0.0.2:8081", violet="[fd00:1::1]:8081")
    node.servers.dns("four", "127.0.0.1")
    node.servers.dns("other", "127.0.0.2")
    node.servers.dns("six", "fd00:1::1")
    both = [{"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53}]
    node.control.declare(
        service("web", "127.96.0.10", 80, ["127.0.0.1:8081", "127.0.0.2:8081"]),
        policy("web-in-turn", "web", algorithm="RoundRobin"),
        service("web6", "fd00:96::10", 80, ["[fd00:1::1]:8081"]),
        service("web64", "fd00:96::11", 80, ["127.0.0.1:8081"]),
        service("dns", "127.96.0.53", both, ["127.0.0.1"]),
        service("dns-other", "127.96.0.54", udp(53), ["127.0.0.2"]),
        service("dns6", "fd00:96::53", udp(53), ["fd00:1::1"]),
        service("dns64", "fd00:96::54", udp(53), ["127.0.0.1"]),
        service("nobody", "127.97.0.1", 80, []))


def peer_of(sock):
    return sock.getpeername()[:2]


def each(cases):
    return pytest.mark.parametrize("vip, family, expected", cases, ids=[case[0] for case in cases])


# --- TCP ------------------------------------------------------------------------------------------
@each(WEB)
def test_tcp_peer_is_the_vip(node, vip, family, expected):
    with connect(node, vip, 80, family) as client:
        assert peer_of(client) == (expected, 80)
        assert kept_name(client) in ("blue", "green", "violet")
        assert peer_of(client) == (expected, 80)


@each(WEB)
def test_non_blocking_connect(node, vip, family, expected):
    """The second connect() runs the hook again, when the way is chosen already."""
    with node.tcp(family) as client:
        client.setblocking(False)
        assert client.connect_ex((vip, 80)) in (0, errno.EINPROGRESS)
        assert select.select([], [client], [], 5)[1] == [client]
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert client.connect_ex((vip, 80)) in (0, errno.EISCONN)
        assert client.connect_ex((vip, 80)) == errno.EISCONN
        assert peer_of(client) == (expected, 80)
        client.settimeout(5)
        assert http_name(client) in ("blue", "green", "violet")


@each(WEB)
def test_bind_before_connect(node, vip, family, expected):
    source = {"127.96.0.10": "127.0.0.9", "::ffff:127.96.0.10": "::ffff:127.0.0.9",
              "fd00:96::10": "fd00:1::3", "fd00:96::11": "::ffff:127.0.0.9"}[vip]
    with node.tcp(family) as client:
        client.bind((source, 0))
        client.connect((vip, 80))
        assert client.getsockname()[0] == source
        assert peer_of(client) == (expected, 80)
        assert http_name(client) in ("blue", "green", "violet")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_two_sockets_of_one_port(node, kind):
    """SO_REUSEPORT: two sockets, bound to one address, led to two services."""
    ways = {socket.SOCK_STREAM: [("127.96.0.10", 80), ("127.96.0.53", 53)],
            socket.SOCK_DGRAM: [("127.96.0.53", 53), ("127.96.0.54", 53)]}[kind]
    with node.open_socket(V4, kind) as first, node.open_socket(V4, kind) as second:
        port = 0
        for client, vip in zip((first, second), ways):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            client.bind(("127.0.0.1", port))
            port = client.getsockname()[1]
            client.connect(vip)
        assert [peer_of(client) for client in (first, second)] == ways
        if kind == socket.SOCK_DGRAM:
            assert [udp_name(client)[0] for client in (first, second)] == ["four", "other"]


@each(WEB)
def test_fast_open_by_send(node, vip, family, expected):
    before = fast_opens(node)
    with node.tcp(family) as client:
        client.sendto(b"GET / HTTP/1.0\r\n\r\n", MSG_FASTOPEN, (vip, 80))
        assert peer_of(client) == (expected, 80)
        assert client.recv(65536).split()[-1].decode() in ("blue", "green", "violet")
    assert fast_opens(node) == before + 1


@each(WEB)
def test_fast_open_by_option(node, vip, family, expected):
    before = fast_opens(node)
    with node.tcp(family) as client:
        client.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        client.connect((vip, 80))
        assert http_name(client) in ("blue", "green", "violet")
        # Before the first byte there is no connection yet, so the peer is asked for afterwards.
    assert fast_opens(node) == before + 1
    with node.tcp(family) as client:
        client.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        client.connect((vip, 80))
        assert kept_name(client) in ("blue", "green", "violet")
        assert peer_of(client) == (expected, 80)


def fast_opens(node):
    """Connections of the namespace whose first packet carried data; cookies are not asked for."""
    node.space.sysctl("net.ipv4.tcp_fastopen", 0x207)
    return node.netstat("TcpExt", "TCPFastOpenPassive")


@each(WEB)
def test_mptcp(node, vip, family, expected):
    with node.open_socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP) as client:
        client.connect((vip, 80))
        assert peer_of(client) == (expected, 80)
        assert http_name(client) in ("blue", "green", "violet")


def test_socket_older_than_the_attach(bare_node):
    bare_node.servers.http(blue="127.0.0.1:8081")
    bare_node.servers.dns("four", "127.0.0.1")
    with bare_node.tcp() as stream, bare_node.udp() as datagram:
        bare_node.junctord.start()
        bare_node.control.declare(service("web", "127.96.0.10", 80, ["127.0.0.1:8081"]),
                                  service("dns", "127.96.0.53", udp(53), ["127.0.0.1"]))
        stream.connect(("127.96.0.10", 80))
        assert peer_of(stream) == ("127.96.0.10", 80)
        assert http_name(stream) == "blue"
        assert udp_name(datagram, ("127.96.0.53", 53)) == ("four", ("127.96.0.53", 53))


def test_tcp_dissolved_and_connected_again(node):
    with connect(node, "127.96.0.10", 80) as client:
        disconnect(client)
        with pytest.raises(OSError, match="not connected"):
            client.getpeername()
        client.connect(("127.96.0.53", 53))
        assert peer_of(client) == ("127.96.0.53", 53)
        disconnect(client)
        client.connect(("127.0.0.1", 8081))
        assert peer_of(client) == ("127.0.0.1", 8081)
        assert http_name(client) == "blue"


def test_connect_to_a_backend_names_the_backend(node):
    assert name_at(node, "127.0.0.2", 8081) == "green"
    with connect(node, "127.0.0.2", 8081) as client:
        assert peer_of(client) == ("127.0.0.2", 8081)
    with node.udp() as client:
        client.connect(("127.0.0.1", 53))
        assert peer_of(client) == ("127.0.0.1", 53)
        assert udp_name(client) == ("four", ("127.0.0.1", 53))


def test_v6_only_socket_cannot_reach_a_v4_backend(node):
    with node.tcp(V6) as client:
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        assert client.connect_ex(("fd00:96::11", 80)) == errno.ENETUNREACH
    with node.tcp(V6) as client:
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        client.connect(("fd00:96::10", 80))
        assert http_name(client) == "violet"


# --- UDP ------------------------------------------------------------------------------------------
@each(DNS + [("fd00:96::54", V6, "four")])
def test_connected_udp(node, vip, family, expected):
    with node.udp(family) as client:
        client.connect((vip, 53))
        assert peer_of(client) == (vip, 53)
        for _ in range(3):
            assert udp_name(client) == (expected, (vip, 53))
        client.send(dns_question())
        answer, _, _, source = client.recvmsg(4096)
        assert (dns_name(answer), source[:2]) == (expected, (vip, 53))


@each(DNS)
def test_unconnected_udp(node, vip, family, expected):
    with node.udp(family) as client:
        for _ in range(3):
            assert udp_name(client, (vip, 53)) == (expected, (vip, 53))
        client.sendmsg([dns_question()], [], 0, (vip, 53))
        answer, _, _, source = client.recvmsg(4096)
        assert (dns_name(answer), source[:2]) == (expected, (vip, 53))


def test_one_unconnected_socket_asks_two_services_and_a_server(node):
    with node.udp() as client:
        for _ in range(2):
            assert udp_name(client, ("127.96.0.53", 53)) == ("four", ("127.96.0.53", 53))
            assert udp_name(client, ("127.96.0.54", 53)) == ("other", ("127.96.0.54", 53))
    with node.udp() as client:
        assert udp_name(client, ("127.96.0.53", 53)) == ("four", ("127.96.0.53", 53))
        assert udp_name(client, ("127.0.0.2", 53)) == ("other", ("127.0.0.2", 53))


def test_unconnected_v6_udp_to_a_v4_backend_is_refused(node):
    """The kernel would answer ENOTSUPP (524), which no program knows."""
    with node.udp(V6) as client:
        with pytest.raises(OSError) as refused:
            client.sendto(dns_question(), ("fd00:96::54", 53))
        assert refused.value.errno == errno.ENETUNREACH
        assert udp_name(client, ("fd00:96::53", 53)) == ("six", ("fd00:96::53", 53))


def test_udp_connected_elsewhere_is_no_longer_named_after_the_vip(node):
    with node.udp() as client:
        client.connect(("127.96.0.53", 53))
        assert udp_name(client) == ("four", ("127.96.0.53", 53))
        for where, name in ((("127.0.0.2", 53), "other"), (("127.0.0.1", 53), "four"),
                            (("127.96.0.54", 53), "other"), (("127.96.0.53", 53), "four")):
            client.connect(where)
            assert peer_of(client) == where
            assert udp_name(client) == (name, where)


def test_udp_dissolved_and_used_unconnected(node):
    with node.udp() as client:
        client.connect(("127.96.0.53", 53))
        disconnect(client)
        assert udp_name(client, ("127.0.0.1", 53)) == ("four", ("127.0.0.1", 53))
        assert udp_name(client, ("127.96.0.54", 53)) == ("other", ("127.96.0.54", 53))


def test_connected_udp_sends_to_another_address(node):
    """sendto() with an address on a connected socket goes there, and only this once."""
    with node.udp() as client:
        client.connect(("127.96.0.53", 53))
        client.sendto(dns_question(), ("127.96.0.53", 53))
        assert dns_name(client.recv(4096)) == "four"
        assert udp_name(client) == ("four", ("127.96.0.53", 53))


# --- what passes, what is refused -----------------------------------------------------------------
def test_raw_sockets_pass(node):
    """The VIP 127.97.0.1 is no blackhole: the namespace itself answers to its ping."""
    with node.open_socket(V4, socket.SOCK_RAW, socket.IPPROTO_ICMP) as client:
        client.connect(("127.97.0.1", 80))
        assert client.getpeername() == ("127.97.0.1", 80)
        client.send(struct.pack("!BBHHH", 8, 0, 0xf7fe, 0, 1))  # echo request, its checksum
        assert client.recvfrom(1500)[1][0] == "127.97.0.1"


def test_without_a_backend_connect_is_refused_at_once(node):
    assert connect_errno(node, "127.97.0.1") == errno.ECONNREFUSED
    assert connect_errno(node, "::ffff:127.97.0.1", family=V6) == errno.ECONNREFUSED


@pytest.mark.parametrize("word", ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPERM"])
def test_errno_without_a_backend_is_the_policys(node, word):
    node.control.declare(
        service("empty", ["127.96.0.90", "fd00:96::90"],
                [{"name": "tcp", "port": 80}, {"name": "udp", "port": 80, "protocol": "UDP"}], []),
        policy("empty", "empty", noBackendErrno=word))
    wanted = getattr(errno, word)
    for vip in ("127.96.0.90", "fd00:96::90"):
        assert connect_errno(node, vip) == wanted
        with node.udp(family_of(vip)) as client:
            assert client.connect_ex((vip, 80)) == wanted
        with node.udp(family_of(vip)) as client, pytest.raises(OSError) as refused:
            client.sendto(b"x", (vip, 80))
        assert refused.value.errno == wanted
