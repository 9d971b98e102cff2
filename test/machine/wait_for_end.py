# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Connects a UDP socket to ADDRESS PORT and waits until somebody ends it; exit 1: nobody did."""

import socket
import sys

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.connect((sys.argv[1], int(sys.argv[2])))
    open("/test/connected", "w", encoding="ascii").close()
    client.settimeout(30)
    try:
        client.recv(1)
    except ConnectionAbortedError as error:
        print(error)
        sys.exit(0)
sys.exit(1)
