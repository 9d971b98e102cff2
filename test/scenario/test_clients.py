# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Unmodified programs reach a backend through a service address, and are shown that address.

  one node (lib/node.py), programs and servers in it, junctord too

  VIP                        port          backends
  127.96.0.10  10.96.0.10    80/TCP   ->   nginx blue 127.0.0.1:8081, green 127.0.0.2:8081
  fd00:96::10                80/TCP   ->   nginx violet [fd00:1::1]:8081
  fd00:96::11                80/TCP   ->   nginx blue 127.0.0.1:8081                (v6 to v4)
  127.96.0.20                6379/TCP ->   redis 127.0.0.1:6379
  127.96.0.53                53       ->   dnsmasq four 127.0.0.1:53                (UDP and TCP)
  fd00:96::53                53       ->   dnsmasq six [fd00:1::1]:53               (UDP and TCP)
"""

import pytest

from lib.clients import dns_name, dns_question
from lib.node import tool
from lib.objects import service

BOTH = [{"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53}]
WEB = [("127.96.0.10", ("blue", "green")), ("10.96.0.10", ("blue", "green")),
       ("fd00:96::10", ("violet",)), ("fd00:96::11", ("blue",))]
DNS = [("127.96.0.53", "four"), ("fd00:96::53", "six")]

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def world(node):
    node.servers.http(blue="127.0.0.1:8081", green="127.0.0.2:8081", violet="[fd00:1::1]:8081")
    node.servers.dns("four", "127.0.0.1")
    node.servers.dns("six", "fd00:1::1")
    node.servers.redis("127.0.0.1")
    node.control.declare(
        service("web", ["127.96.0.10", "10.96.0.10"], 80, ["127.0.0.1:8081", "127.0.0.2:8081"]),
        service("web6", "fd00:96::10", 80, ["[fd00:1::1]:8081"]),
        service("web64", "fd00:96::11", 80, ["127.0.0.1:8081"]),
        service("redis", "127.96.0.20", 6379, ["127.0.0.1"]),
        service("dns", "127.96.0.53", BOTH, ["127.0.0.1"]),
        service("dns6", "fd00:96::53", BOTH, ["fd00:1::1"]))


def bracketed(address):
    return f"[{address}]" if ":" in address else address


def each(cases):
    return pytest.mark.parametrize("vip, expected", cases, ids=[vip for vip, _ in cases])


@each(WEB)
def test_curl(node, vip, expected):
    said = node.said("curl", "-s", "-w", "%{remote_ip} %{remote_port}", f"http://{bracketed(vip)}/")
    name, peer = said.split("\n")
    assert name in expected
    assert peer == f"{vip} 80"


def test_curl_reaches_every_backend(node):
    names = set(node.said("curl", "-s", "-H", "Connection: close",
                          "http://127.96.0.10/?[1-64]").split())
    assert names == {"blue", "green"}


def test_redis_cli(node):
    assert node.said("redis-cli", "-h", "127.96.0.20", "set", "greeting", "hello") == "OK"
    assert node.said("redis-cli", "-h", "127.96.0.20", "get", "greeting") == "hello"


@pytest.mark.parametrize("way", ["+notcp", "+tcp"])
@each(DNS)
def test_dig(node, vip, expected, way):
    said = node.said("dig", way, "+tries=1", "+time=3", f"@{vip}", "who.test", "TXT")
    assert f'"{expected}"' in said
    assert f"SERVER: {vip}#53({vip})" in said


def test_many_questions_of_one_dig(node):
    """dig asks all of them on sockets that are not connected, and checks each answer's source."""
    said = node.said("dig", "+tries=1", "+time=3", "+short", "@127.96.0.53",
                     *["who.test", "TXT"] * 40)
    assert said.split() == ['"four"'] * 40


@each(WEB)
def test_nc(node, vip, expected):
    done = node.run("nc", "-w", "3", vip, "80", input="GET / HTTP/1.0\r\n\r\n")
    assert done.stdout.split()[-1] in expected


@each(WEB)
def test_python(node, vip, expected):
    program = f"""
import socket, urllib.request
print(socket.create_connection(("{vip}", 80)).getpeername()[:2])
print(urllib.request.urlopen("http://{bracketed(vip)}/").read().decode().strip())
"""
    peer, name = node.said("/usr/bin/python3", "-c", program).splitlines()
    assert peer == f"('{vip}', 80)"
    assert name in expected


@each(WEB)
def test_node_http(node, vip, expected):
    program = f"""
require('http').get('http://{bracketed(vip)}/', answer => {{
    console.log(answer.socket.remoteAddress, answer.socket.remotePort);
    answer.pipe(process.stdout);
}});"""
    peer, name = node.said("node", "-e", program).splitlines()
    assert peer == f"{vip} 80"
    assert name in expected


@pytest.mark.parametrize("is_connected", [False, True], ids=["unconnected", "connected"])
@each(DNS)
def test_node_dgram(node, vip, expected, is_connected):
    send = ("socket.connect(53, vip, () => socket.send(question))" if is_connected
            else "socket.send(question, 53, vip)")
    program = f"""
const socket = require('dgram').createSocket('{"udp6" if ":" in vip else "udp4"}');
const vip = '{vip}', question = Buffer.from('{dns_question().hex()}', 'hex');
socket.on('message', (answer, from) => {{
    console.log(from.address, from.port, answer.toString('hex'));
    socket.close();
}});
{send};"""
    address, port, answer = node.said("node", "-e", program, timeout=10).split()
    assert (address, port) == (vip, "53")
    assert dns_name(bytes.fromhex(answer)) == expected


@each(WEB)
def test_go_http(node, vip, expected):
    peer, name = node.said(tool("go_client"), "http", f"{bracketed(vip)}:80").splitlines()
    assert peer == f"peer {bracketed(vip)}:80"
    assert name in expected


@pytest.mark.parametrize("way", ["udp", "packet"])
@each(DNS)
def test_go_udp(node, vip, expected, way):
    """Go's "packet" socket is an IPv6 one that sends to ::ffff:127.96.0.53."""
    said = node.said(tool("go_client"), way, f"{bracketed(vip)}:53")
    assert said.splitlines() == [f"peer {bracketed(vip)}:53", expected]


@each(WEB)
def test_io_uring(node, vip, expected):
    said = node.said(tool("uring_http"), vip, "80").splitlines()
    assert said[0] == f"peer {vip} 80"
    assert said[-1] in expected
