# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Servers on a node that say their own address and port, on TCP and UDP: many, cheap, in a thread.

They belong to the test's process; only their sockets are the node's. They read nothing but the
datagrams that ask them.
"""

import selectors
import socket
import threading

from lib import reference


class NameServers:
    def __init__(self, node, hosts, ports):
        self.selector = selectors.DefaultSelector()
        for host in hosts:
            for port in ports:
                self.listen(node, host, port)
        self.ends, wakes = socket.socketpair()
        self.selector.register(wakes, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        node.machine.callback(self.close)

    def listen(self, node, host, port):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        name = reference.endpoint(host, port).encode()
        for made, answer in ((node.tcp(family), self.accept), (node.udp(family), self.reply)):
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            if answer == self.accept:
                made.listen(128)
            self.selector.register(made, selectors.EVENT_READ, (answer, name))

    @staticmethod
    def accept(listener, name):
        connection, _ = listener.accept()
        with connection:
            connection.send(name)

    @staticmethod
    def reply(listener, name):
        _, client = listener.recvfrom(64)
        listener.sendto(name, client)

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                answer, name = key.data
                try:
                    answer(key.fileobj, name)
                except BlockingIOError:
                    pass

    def close(self):
        self.ends.close()
        self.thread.join(10)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
