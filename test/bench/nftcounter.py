#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Prints the packets of a named counter of nftables, in the network namespace it is started in.

One netlink message, because `nft list counter` reads every chain and rule first: 12 s with 10,000
services. Usage: nftcounter.py TABLE COUNTER. Knows tables of family ip only.
"""

import os
import socket
import struct
import sys

NETLINK_NETFILTER = 12
GETOBJ = 10 << 8 | 19  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETOBJ
NEWOBJ = 10 << 8 | 18
ERROR = 2
REQUEST = 1
TABLE, NAME, TYPE, DATA = 1, 2, 3, 4  # NFTA_OBJ_*
COUNTER = 1  # NFT_OBJECT_COUNTER
PACKETS = 2  # NFTA_COUNTER_PACKETS
NESTED = 0x8000
HEADER, FAMILY, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBH"), struct.Struct("=HH")


def attribute(kind, value):
    text = ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value
    return text + bytes(-len(text) % 4)


def attributes(text):
    """{kind: value} of a run of attributes."""
    found = {}
    while text:
        length, kind = ATTRIBUTE.unpack_from(text)
        found[kind & ~NESTED] = text[ATTRIBUTE.size:length]
        text = text[length + -length % 4:]
    return found


def packets(table, counter):
    body = (FAMILY.pack(socket.AF_INET, 0, 0) + attribute(TABLE, table.encode() + b"\0")
            + attribute(NAME, counter.encode() + b"\0")
            + attribute(TYPE, struct.pack("!I", COUNTER)))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as link:
        link.send(HEADER.pack(HEADER.size + len(body), GETOBJ, REQUEST, 1, 0) + body)
        answer = link.recv(65536)
    length, kind = HEADER.unpack_from(answer)[:2]
    if kind == ERROR:
        number = -struct.unpack_from("=i", answer, HEADER.size)[0]
        sys.exit(f"counter {counter} of table {table}: {os.strerror(number)}")
    if kind != NEWOBJ:
        sys.exit(f"counter {counter} of table {table}: an answer of type {kind}")
    told = attributes(answer[HEADER.size + FAMILY.size:length])
    return struct.unpack("!Q", attributes(told[DATA])[PACKETS])[0]


if __name__ == "__main__":
    print(packets(sys.argv[1], sys.argv[2]))
