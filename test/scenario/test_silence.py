# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A junctord that is there and does not answer: every verb says so within seconds, and what helps.

  one node (lib/node.py); its junctord is stopped by SIGSTOP
"""

import json
import os
import signal
import socket
import subprocess
import tarfile
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


@pytest.fixture
def full(stopped, own_node):
    """The same; and whoever connects waits for a place in its queue."""
    waiting = []
    try:
        while True:
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            waiting.append(one)
            one.connect(str(own_node.socket_path))
    except BlockingIOError:
        pass
    yield stopped
    for one in waiting:
        one.close()


def test_one_whose_queue_is_full_is_named(full):
    done, seconds = full("status")
    assert done.returncode == UNREACHABLE, done
    assert seconds < SECONDS
    assert "junctor status --offline" in done.stderr


@pytest.mark.parametrize("how", ["stopped", "full"])
def test_a_sysdump_does_not_wait_for_it(request, own_node, tmp_path, how):
    """At most five seconds, as the manual says: nobody needs it more than who is not answered."""
    ask = request.getfixturevalue(how)
    done, seconds = ask("sysdump", "-f", tmp_path / "dump.tar", "--pin-dir", own_node.pins,
                        "--state-dir", own_node.state, "--cgroup", own_node.cgroup)
    assert done.returncode == 0, done
    assert seconds < 5
    with tarfile.open(tmp_path / "dump.tar") as archive:
        assert "tables/frontends.jsonl" in archive.getnames()
