# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A server that answers every request with its port, which is its argument; /big with 64 KiB. A
datagram is sent back."""

import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = sys.argv[1]
BIG = bytes(range(256)) * 256


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = BIG if self.path == "/big" else f"{PORT}\n".encode()
        self.send_response(200)
        self.send_header("Server-Name", PORT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024


def send_back(datagrams):
    while True:
        datagrams.sendto(*datagrams.recvfrom(2048))


server = Server(("", int(PORT)), Handler)
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("", int(PORT)))
threading.Thread(target=send_back, args=[echo], daemon=True).start()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
server.serve_forever()
