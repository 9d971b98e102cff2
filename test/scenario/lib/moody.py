# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""moody.py ADDRESS PORT NAME: a server that answers one line, NAME, when and how it is told to.

Told by lines on stdin:  delay SECONDS    before each answer
                         reset            connections are reset before an answer
                         silent           requests are read and never answered
                         garbage          the answer is no HTTP
                         flood            the head of the answer never ends
                         answer           as at first
Answers HTTP/1.0 requests, each connection on a thread of its own; says "ready" when it listens.
"""

import socket
import struct
import sys
import threading
import time

mood = {"delay": 0.0, "word": "answer"}


def serve(connection, name):
    with connection:
        if mood["word"] == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return
            data += piece
        if mood["word"] == "silent":
            while connection.recv(65536):
                pass
            return
        if mood["word"] == "garbage":
            connection.sendall(b"\0\xff* OK [CAPABILITY IMAP4rev1] hello\r\n" * 50)
            return
        if mood["word"] == "flood":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        time.sleep(mood["delay"])
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + name.encode() + b"\n")


def listen(server, name):
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection, name), daemon=True).start()


def main():
    address, port, name = sys.argv[1:]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.create_server((address, int(port)), family=family, backlog=1024)
    threading.Thread(target=listen, args=(server, name), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "delay":
            mood["delay"] = float(rest[0])
        else:
            mood["word"] = word
        print("done", flush=True)


main()
