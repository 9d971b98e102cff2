# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A program that makes COUNT connections, one after the other, and prints who answered.

Usage: connects.py ADDRESS PORT COUNT

Waits for a line on its input first, so that several can begin together. Prints one JSON object
{name of a server, or of an errno: count}.
"""

import collections
import errno
import json
import socket
import sys


def ask(address, port):
    try:
        with socket.create_connection((address, port), timeout=5) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b""
            while piece := client.recv(4096):
                data += piece
            return data.split()[-1].decode()
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))


def main():
    address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sys.stdin.readline()
    print(json.dumps(collections.Counter(ask(address, port) for _ in range(count))))


main()
