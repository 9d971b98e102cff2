# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A junctord that is there and does not answer: every verb says so within seconds, and what helps.

  one node (lib/node.py); its junctord is stopped by SIGSTOP
"""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from lib.node import built
from lib.objects import service

UNREACHABLE = 3
SECONDS = 10  # five, and a busy machine


@pytest.fixture
def stopped(own_node):
    """What it prints and how it ends: stopped(words, ...)."""
    own_node.control.declare(service("web", "127.96.0.10", 80, []))

    def ask(*words):
        begin = time.monotonic()
        done = own_node.run(built("junctor"), "--socket", own_node.socket_path, *words, check=False,
                            stdin=subprocess.DEVNULL)
        return done, time.monotonic() - begin
    os.kill(own_node.junctord.pid, signal.SIGSTOP)
    yield ask
    os.kill(own_node.junctord.pid, signal.SIGCONT)


@pytest.mark.parametrize("words", [
    ["status"], ["get", "services"], ["describe", "service", "web"], ["wait"], ["verify"],
    ["delete", "service", "web"], ["apply", "-f", "FILE"]], ids=lambda words: words[0])
def test_a_stopped_junctord_is_named(stopped, own_node, tmp_path, words):
    """Each of them was silent for a minute."""
    file = tmp_path / "web.json"
    file.write_text(json.dumps(service("web", "127.96.0.10", 80, [])), encoding="utf-8")
    done, seconds = stopped(*[str(file) if word == "FILE" else word for word in words])
    assert done.returncode == UNREACHABLE, done
    assert seconds < SECONDS
    assert done.stdout == ""
    for words in ("has not answered", own_node.socket_path, "junctor status --offline"):
        assert str(words) in done.stderr


def test_one_whose_queue_is_full_is_named(stopped, own_node):
    """Whoever connects waits for a place in the queue of a junctord that takes nobody out."""
    waiting = []
    try:
        while True:
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            waiting.append(one)
            one.connect(str(own_node.socket_path))
    except BlockingIOError:
        pass
    done, seconds = stopped("status")
    for one in waiting:
        one.close()
    assert done.returncode == UNREACHABLE, done
    assert seconds < SECONDS
    assert "junctor status --offline" in done.stderr
