# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Backends that come and go a hundred times a second, under connections all the time.

  one node (lib/node.py)
  VIP 127.96.4.10, 80/TCP   ->   nginx a 127.0.0.1:8081 always, b 127.0.0.2:8081 or c 127.0.0.3:8081

Every connection is answered by a backend that was declared at some moment while it was made; once a
change is acknowledged, no connection that begins reaches the backend that it took away.
"""

import bisect
import os
import threading
import time

from lib.clients import name_at
from lib.objects import backend, policy, service

SERVERS = {"a": "127.0.0.1:8081", "b": "127.0.0.2:8081", "c": "127.0.0.3:8081"}
VIP = "127.96.4.10"
SECONDS = 600 if os.environ.get("SOAK") else 4
STATES = ({"a", "b"}, {"a", "c"})
ACKNOWLEDGED = 0.001  # seconds after the answer within which a connect may still be under way


def declared(names):
    return service("flaps", VIP, 80, [backend(SERVERS[name]) for name in sorted(names)])


def flap(node, changes, stop):
    """Appends (when it was sent, when it was acknowledged, which state it brought)."""
    turn = 0
    while not stop.is_set():
        turn += 1
        sent = time.monotonic()
        node.control.declare(declared(STATES[turn % 2]))
        changes.append((sent, time.monotonic(), STATES[turn % 2]))
        stop.wait(max(0, 0.01 - (time.monotonic() - sent)))


def connect(node, answers, stop):
    while not stop.is_set():
        begin = time.monotonic()
        try:
            name = name_at(node, VIP)
        except OSError as error:
            name = repr(error)
        answers.append((begin, time.monotonic(), name))


def allowed(changes, acknowledged, begin, end):
    """What was declared at some moment between begin and end; acknowledged: of each change, when."""
    at = bisect.bisect_left(acknowledged, begin - ACKNOWLEDGED)
    names = set(changes[at - 1][2] if at else STATES[0])
    while at < len(changes) and changes[at][0] <= end:
        names |= changes[at][2]
        at += 1
    return names


def test_flapping_backends_never_answer_out_of_their_time(node):
    node.servers.http(**SERVERS)
    node.control.declare(declared(STATES[0]), policy("flaps", "flaps", algorithm="RoundRobin"))
    changes, answers, stop = [], [[], []], threading.Event()
    threads = [threading.Thread(target=flap, args=(node, changes, stop)),
               *(threading.Thread(target=connect, args=(node, list_, stop)) for list_ in answers)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    made = [answer for list_ in answers for answer in list_]
    acknowledged = [change[1] for change in changes]
    wrong = [(name, begin, end) for begin, end, name in made
             if name not in allowed(changes, acknowledged, begin, end)]
    assert not wrong, (len(wrong), wrong[:5])
    assert len(changes) > 20 * SECONDS and len(made) > 50 * SECONDS, (len(changes), len(made))
    assert {name for _, _, name in made} == {"a", "b", "c"}
