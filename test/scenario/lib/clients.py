# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a test says on a socket of a node: one HTTP request, one DNS question.

Enough of the two protocols to learn the name of the server that answers; real clients are run as
programs.
"""

import collections
import ctypes
import os
import socket
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
HTTP = b"GET / HTTP/1.0\r\n\r\n"


def read_to_end(connection):
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def http_name(connection):
    """The name of the nginx behind a connected socket; the connection is used up."""
    connection.sendall(HTTP)
    return read_to_end(connection).rpartition(b"\r\n\r\n")[2].decode().strip()


def kept_name(connection):
    """The same, and the connection stays."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while not data.endswith(b"\n") or b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("the server closed a kept connection")
        data += piece
    return data.rpartition(b"\r\n\r\n")[2].decode().strip()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(node, address, port, family=None):
    """A connected TCP socket of the node."""
    connection = node.tcp(family or family_of(address))
    try:
        connection.connect((address, port))
    except OSError:
        connection.close()
        raise
    return connection


def name_at(node, address, port=80, family=None):
    """Who answers a new connection."""
    with connect(node, address, port, family) as connection:
        return http_name(connection)


def names_at(node, address, port=80, count=1):
    """Counter of who answers so many new connections, one after the other."""
    return collections.Counter(name_at(node, address, port) for _ in range(count))


def connect_errno(node, address, port=80, family=None):
    """The errno of connect(), 0 when it succeeds."""
    with node.tcp(family or family_of(address)) as connection:
        return connection.connect_ex((address, port))


def dns_question(number=1):
    """who.test TXT"""
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + b"\3who\4test\0" + b"\0\x10\0\1"


def dns_name(answer):
    """The text of the first TXT record of an answer."""
    assert answer[3] & 15 == 0 and answer[6:8] != b"\0\0", answer
    rest = answer[12:].partition(b"\0\x10\0\1")[2]  # past the question
    offset = 2 + 2 + 2 + 4 + 2  # name pointer, type, class, ttl, length
    return rest[offset + 1:offset + 1 + rest[offset]].decode()


def udp_name(sock, address=None):
    """(who answers, where from) on a UDP socket: connected, or asked at an address."""
    if address:
        sock.sendto(dns_question(), address)
    else:
        sock.send(dns_question())
    answer, source = sock.recvfrom(4096)
    return dns_name(answer), source[:2]


def disconnect(sock):
    """connect() with AF_UNSPEC, which Python's sockets cannot say."""
    if LIBC.connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
