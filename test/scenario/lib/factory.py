# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A process in a node that makes sockets there and hands them out.

Usage: factory.py FD     where FD is one end of a unix socket pair

A socket belongs to the network namespace and the cgroup in which it was made, whoever uses it
afterwards; so a test can use the sockets of a node without being in it.
"""

import json
import socket
import sys


def main():
    with socket.socket(fileno=int(sys.argv[1])) as owner:
        while True:
            wanted = owner.recv(200)
            if not wanted:
                return
            try:
                made = socket.socket(*json.loads(wanted))
            except OSError as error:
                owner.send(str(error.errno).encode())
                continue
            with made:
                socket.send_fds(owner, [b"0"], [made.fileno()])


main()
