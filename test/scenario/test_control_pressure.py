# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Many, slow and greedy clients of the control socket delay nobody else.

  one node (lib/node.py); nobody connects to a VIP here, all clients are on the control socket

SOAK=1: 64 writers make 10,000 changes in all.
"""

import contextlib
import http.client
import json
import os
import resource
import select
import socket
import threading
import time

import pytest

from lib.control import read_all, split_answer
from lib.junctord import wait_for
from lib.objects import SERVICES, service

CLIENTS = 64
WRITERS = 64
CHANGES_EACH = 157 if os.environ.get("SOAK") else 8
COUNTERS = 8
P99_SECONDS = 0.1
LIMIT_SECONDS = 5


def open_clients(control, count):
    """Up to so many connections; fewer where nobody accepts them any more."""
    clients = []
    for _ in range(count):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.setblocking(False)
        try:
            client.connect(control.path)
        except BlockingIOError:
            client.close()
            break
        clients.append(client)
    return clients


class Prober(threading.Thread):
    """Asks for the status all the time, on a new connection each; how long each took."""

    def __init__(self, control):
        super().__init__()
        self.control, self.seconds, self.stopping = control, [], threading.Event()

    def run(self):
        while not self.stopping.wait(0.02):
            begin = time.monotonic()
            assert self.control.get("/v1/status").status == 200
            self.seconds.append(time.monotonic() - begin)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()
        self.seconds.sort()

    @property
    def p99(self):
        return self.seconds[int(len(self.seconds) * 0.99)]


# --- file descriptors -----------------------------------------------------------------------------
def test_no_descriptors_left_is_no_busy_loop(own_node):
    """The limit is set below what 200 clients need, not below what junctord itself holds."""
    control, junctord = own_node.control, own_node.junctord
    with control.open() as admin:
        ask(admin)
        limit = max(32, max(junctord.open_files()) + 9)
        resource.prlimit(junctord.pid, resource.RLIMIT_NOFILE, (limit, limit))
        clients = open_clients(control, 200)
        assert len(clients) > 20
        wait_for(lambda: len(junctord.open_files()) >= limit - 2, "the descriptors are used up")
        before, begin = junctord.cpu_seconds(), time.monotonic()
        while time.monotonic() < begin + 2:
            ask(admin)
            time.sleep(0.1)
        used = (junctord.cpu_seconds() - before) / (time.monotonic() - begin)
        assert used < 0.05, f"{used:.1%} of a CPU while nobody can be accepted"
        for client in clients:
            client.close()
        wait_for(lambda: is_answered(control), "a new client is served again", 1.0)


def is_answered(control):
    try:
        return control.get("/v1/status", timeout=1).status == 200
    except BlockingIOError:
        return False  # the queue of those who left is not worked off yet


def ask(client):
    """One request on a connection that stays open."""
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: junctor\r\n\r\n")
    data = b""
    while not data.endswith(b"ok\n"):
        piece = client.recv(4096)
        assert piece, "the connection was closed"
        data += piece


# --- too many -------------------------------------------------------------------------------------
def test_one_client_too_many_is_told(own_node):
    control = own_node.control
    with contextlib.ExitStack() as held:
        for _ in range(CLIENTS):
            ask(held.enter_context(control.open()))
        status, body = control.raw(b"GET /healthz HTTP/1.1\r\nHost: junctor\r\n\r\n")
        assert status == 429
        assert json.loads(body)["reason"] == "TooManyRequests"
    wait_for(lambda: control.get("/healthz").status == 200, "places become free")


# --- slow -----------------------------------------------------------------------------------------
def trickle(clients, text, seconds):
    """A byte a second of a text to each client; {client: seconds until it was closed}."""
    begin, closed, sent = time.monotonic(), {}, 0
    while len(closed) < len(clients) and time.monotonic() < begin + seconds:
        for client in clients:
            if client in closed:
                continue
            with contextlib.suppress(OSError):
                client.send(text[sent:sent + 1])
        sent += 1
        turn = time.monotonic() + 1
        while (left := turn - time.monotonic()) > 0:
            waiting = [client for client in clients if client not in closed]
            for client in select.select(waiting, [], [], left)[0]:
                if not drain(client):
                    closed[client] = time.monotonic() - begin
    return closed


def drain(client):
    try:
        return client.recv(65536)
    except BlockingIOError:
        return b"?"
    except OSError:
        return b""


@pytest.mark.parametrize("begin", [b"", b"POST /v1/apply HTTP/1.1\r\nHost: j\r\n"
                                        b"Content-Length: 1000\r\n\r\n"], ids=["head", "body"])
def test_slow_clients_are_closed_and_delay_nobody(own_node, begin):
    clients = open_clients(own_node.control, CLIENTS - 1)
    assert len(clients) == CLIENTS - 1
    for client in clients:
        client.send(begin)
    with Prober(own_node.control) as prober:
        closed = trickle(clients, b"GET /healthz HTTP/1.1\r\n" + b"x" * 100, LIMIT_SECONDS + 4)
    assert len(closed) == CLIENTS - 1
    assert all(LIMIT_SECONDS - 0.6 <= after <= LIMIT_SECONDS + 1.6 for after in closed.values()), \
        sorted(closed.values())
    assert len(prober.seconds) > 50
    assert prober.p99 <= P99_SECONDS, prober.p99
    for client in clients:
        client.close()


def test_a_client_that_reads_nothing_is_closed(own_node):
    control = own_node.control
    for number in range(16):
        control.declare(service(f"big-{number}", f"127.96.3.{number}", 80, [],
                                annotations={f"a{index}": "x" * 60000 for index in range(4)}))
    with control.open() as greedy, Prober(control) as prober:
        greedy.sendall(b"GET /apis/junctor.dev/v1alpha1/localservices HTTP/1.1\r\nHost: j\r\n\r\n")
        begin = time.monotonic()
        closing = select.poll()
        closing.register(greedy, select.POLLRDHUP)
        assert closing.poll(10000), "it is closed"
        assert LIMIT_SECONDS - 0.6 <= time.monotonic() - begin <= LIMIT_SECONDS + 1.6
        status, body = split_answer(read_all(greedy))
        assert status == 200 and len(body) < 16 * 4 * 60000, "and sees that something is missing"
    assert prober.p99 <= P99_SECONDS, prober.p99
    with control.open() as patient:
        patient.sendall(b"GET /apis/junctor.dev/v1alpha1/localservices HTTP/1.1\r\nHost: j\r\n"
                        b"Connection: close\r\n\r\n")
        time.sleep(1)  # slow, but not silent
        assert len(read_all(patient)) > 16 * 4 * 60000


def test_pipelined_requests_are_answered_in_turn(own_node):
    one = b"GET %s HTTP/1.1\r\nHost: j\r\n\r\n"
    with own_node.control.open() as client:
        client.sendall(one % b"/healthz" + one % b"/nowhere" + one % b"/livez" +
                       b"GET /readyz HTTP/1.1\r\nHost: j\r\nConnection: close\r\n\r\n")
        said = read_all(client)
    assert [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:]] == [200, 404, 200, 200]


# --- writers --------------------------------------------------------------------------------------
class Writer(threading.Thread):
    """Counts up in an annotation, by resourceVersion: what it wrote, in which generation."""

    def __init__(self, control, name):
        super().__init__()
        self.control, self.path, self.written = control, f"{SERVICES}/{name}", []

    def run(self):
        while len(self.written) < CHANGES_EACH:
            read = self.control.get(self.path, timeout=60).json
            number = int(read["metadata"]["annotations"]["count"]) + 1
            read["metadata"]["annotations"]["count"] = str(number)
            answer = self.control.put(read, timeout=60)
            if answer.status == 409:
                continue
            assert answer.status == 200, answer
            version = int(answer.json["metadata"]["resourceVersion"])
            self.written.append((int(answer.headers["Junctor-Generation"]), version, number))


def test_many_writers_lose_no_update(own_node):
    control = own_node.control
    names = [f"counter-{number}" for number in range(COUNTERS)]
    begin = control.declare(*(service(name, f"127.96.4.{number}", 80, [],
                                      annotations={"count": "0"})
                              for number, name in enumerate(names)))
    writers = [Writer(control, names[number % COUNTERS]) for number in range(WRITERS - 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert all(len(writer.written) == CHANGES_EACH for writer in writers)

    everything = sorted(line for writer in writers for line in writer.written)
    generations = [generation for generation, _, _ in everything]
    assert generations == list(range(begin + 1, begin + 1 + len(everything))), "one each, no gap"
    assert all(generation == version for generation, version, _ in everything)
    for name in names:
        mine = sorted(line for writer in writers if writer.path.endswith(f"/{name}")
                      for line in writer.written)
        assert [number for _, _, number in mine] == list(range(1, len(mine) + 1)), \
            "in the order of generations each write builds on the one before"
        final = control.get(f"{SERVICES}/{name}").json["metadata"]
        assert final["annotations"]["count"] == str(len(mine))
        assert int(final["resourceVersion"]) == mine[-1][0]
    assert control.status()["generation"] == generations[-1]


def test_a_client_that_leaves_in_the_middle_of_a_write(own_node):
    """What it sent completely is done all the same, whole."""
    control = own_node.control
    for number in range(20):
        body = json.dumps(service(f"left-{number}", f"127.96.5.{number}", 80, [])).encode()
        with control.open() as client:
            client.sendall(b"POST /v1/apply HTTP/1.1\r\nHost: j\r\nContent-Length: %d\r\n\r\n%s"
                           % (len(body), body))
    wait_for(lambda: len(control.specs()) == 20, "all of them arrive")
    with contextlib.suppress(http.client.HTTPException):
        assert control.get("/healthz").status == 200
