# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A socket that was connected to a service, is dissolved, and listens.

  node (lib/node.py)
  VIP 10.96.0.60, fd00:96::60   7/TCP   ->   a backend of the test's own, 10.1.0.1:7, [fd00:1::1]:7
  the listener                                10.1.0.2,  fd00:1::2

It keeps the record of its own connect(); what it accepts has none.
"""

import ctypes
import os
import socket
import time
from pathlib import Path

import pytest

from kernelstats import SYS_BPF
from lib import kernel
from lib.clients import disconnect
from lib.junctord import wait_for
from lib.objects import policy, service

BPF_MAP_LOOKUP_ELEM = 1
RECORD_BYTES = 68
IPPROTO_MPTCP = 262
PLACES = {socket.AF_INET: ("10.96.0.60", "10.1.0.1", "10.1.0.2"),
          socket.AF_INET6: ("fd00:96::60", "fd00:1::1", "fd00:1::2")}
RULES = [{}, {"algorithm": "LeastConnections", "outlier": {}, "limits": {"connections": 50}}]


def has_record(node, sock):
    folder, = Path(node.pins).glob("v*")
    table = kernel.obj_get(folder / "jn_socket")
    key, value = ctypes.c_int(sock.fileno()), ctypes.create_string_buffer(RECORD_BYTES)
    attributes = (ctypes.c_uint64 * 16)(table, ctypes.addressof(key), ctypes.addressof(value))
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        return libc.syscall(SYS_BPF[os.uname().machine], BPF_MAP_LOOKUP_ELEM, attributes, 128) == 0
    finally:
        os.close(table)


def peer_of(sock):
    return sock.getpeername()[:2]


def ended(node):
    return node.control.counter("junctor_sockets_ended_total", protocol="TCP",
                                reason="DrainDeadline")


def declare(node, vip, backends, rules):
    host = "[%s]:7" if ":" in vip else "%s:7"
    node.control.declare(service("stream", vip, 7, [host % one for one in backends]),
                         policy("stream", "stream", drainSeconds=0, **rules))


@pytest.fixture
def listener(node, request):
    """(listener, a connection that it accepted from the backend's own address, its other end)"""
    family, rules, proto = request.param
    vip, backend, own = PLACES[family]
    declare(node, vip, [backend], rules)
    with node.tcp(family) as server, node.open_socket(family, proto=proto) as made, \
            node.tcp(family) as caller:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((backend, 7))
        server.listen()
        made.connect((vip, 7))
        assert peer_of(made) == (vip, 7)
        server.accept()[0].close()
        disconnect(made)
        made.bind((own, 0))
        made.listen()
        server.close()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        caller.bind((backend, 7))
        caller.connect(made.getsockname())
        with made.accept()[0] as accepted:
            yield made, accepted, caller
    node.control.remove("stream", "/apis/junctor.dev/v1alpha1/namespaces/default/trafficpolicies/"
                                  "stream")


CASES = [(family, rules, proto) for family in PLACES for rules in RULES
         for proto in (0, IPPROTO_MPTCP)]


@pytest.mark.parametrize("listener", CASES, indirect=True, ids=str)
def test_what_it_accepts_is_named_after_the_caller(node, listener):
    """The caller has the backend's address and port: a record would name it after the VIP."""
    made, accepted, caller = listener
    assert has_record(node, made) and not has_record(node, accepted)
    assert peer_of(accepted) == caller.getsockname()[:2]
    assert peer_of(caller) == made.getsockname()[:2]
    with pytest.raises(OSError, match="not connected"):
        made.getpeername()


@pytest.mark.parametrize("listener", CASES, indirect=True, ids=str)
def test_it_and_what_it_accepts_are_not_ended(node, listener):
    made, accepted, caller = listener
    family = made.family
    vip, backend, own = PLACES[family]
    before = ended(node)
    with node.tcp(family) as server, node.tcp(family) as client:
        server.bind((own, 7))
        server.listen()
        declare(node, vip, [own], RULES[0])  # the listener's own backend goes
        client.connect((vip, 7))
        declare(node, vip, [], RULES[0])
        wait_for(lambda: ended(node) == before + 1, "the connection of another socket is ended")
    time.sleep(1)
    assert ended(node) == before + 1
    caller.sendall(b"still")
    assert accepted.recv(8) == b"still"
    with node.tcp(family) as another:
        another.connect(made.getsockname())
        with made.accept()[0] as one:
            assert peer_of(one) == another.getsockname()[:2]
