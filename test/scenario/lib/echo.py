# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A server that sends back what it gets, over TCP and UDP, to any number of clients.

Usage: echo.py ADDRESS PORT     prints "ready" when it listens
"""

import resource
import select
import socket
import sys


def listen(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    stream = socket.socket(family, socket.SOCK_STREAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.bind((address, port))
    stream.listen(4096)
    datagram = socket.socket(family, socket.SOCK_DGRAM)
    datagram.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    datagram.bind((address, port))
    return stream, datagram


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    stream, datagram = listen(sys.argv[1], int(sys.argv[2]))
    poll = select.epoll()
    poll.register(stream, select.EPOLLIN)
    poll.register(datagram, select.EPOLLIN)
    clients = {}
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == stream.fileno():
                client = stream.accept()[0]
                clients[client.fileno()] = client
                poll.register(client, select.EPOLLIN)
            elif fd == datagram.fileno():
                data, source = datagram.recvfrom(2048)
                datagram.sendto(data, source)
            else:
                echo(clients, poll, fd)


def echo(clients, poll, fd):
    try:
        data = clients[fd].recv(2048)
        if data:
            clients[fd].send(data)
            return
    except OSError:
        pass  # reset by the client, or by whoever ended it
    poll.unregister(fd)
    clients.pop(fd).close()


main()
