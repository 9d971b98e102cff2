# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What junctor tells and does while no junctord runs.

  one node (lib/node.py)
  VIP 127.96.8.1, 80/TCP   ->   nginx a 127.0.0.1:8081, b 127.0.0.2:8081
"""

import json
import os
from pathlib import Path

import pytest

from lib.clients import connect_errno, name_at
from lib.node import built
from lib.objects import service
from lib.servers import SERVERS

VIP = "127.96.8.1"


@pytest.fixture
def dead_node(own_node):
    """One that served and was killed."""
    own_node.servers.http(**{name: SERVERS[name] for name in "ab"})
    own_node.control.declare(service("web", VIP, 80, [SERVERS["a"], SERVERS["b"]]))
    for _ in range(5):
        name_at(own_node, VIP)
    own_node.junctord.kill()
    return own_node


def status(node, *flags, check=True):
    done = node.run(built("junctor"), "status", "--offline", "--pin-dir", node.pins, *flags,
                    check=check)
    return done.stdout


def test_offline_status_tells_what_the_kernel_serves(dead_node):
    told = json.loads(status(dead_node, "-o", "json"))
    assert told["offline"] and not told["running"]
    assert told["installedGeneration"] == 1
    assert [hook["name"] for hook in told["hooks"] if hook["attached"]] == [
        "connect4", "connect6", "sendmsg4", "sendmsg6", "recvmsg4", "recvmsg6", "getpeername4",
        "getpeername6"]
    assert {hook["cgroup"] for hook in told["hooks"]} == {os.stat(dead_node.cgroup).st_ino}
    assert told["tables"]["services"]["used"] == 1
    assert told["tables"]["frontends"] == {"used": 1, "entries": 16384}
    assert told["tables"]["endpoints"]["used"] == 2
    assert told["decisions"]["Ok"] == 5
    assert told["degraded"] == []
    text = status(dead_node)
    assert "junctord:    does not run" in text
    assert "Generation:  1 in the kernel" in text
    assert "Hooks:       8 of 8 attached" in text


def test_offline_status_beside_a_junctord(own_node):
    told = json.loads(status(own_node, "-o", "json"))
    assert told["running"]
    assert "junctord:    runs" in status(own_node)
    own_node.junctord.terminate()
    assert not json.loads(status(own_node, "-o", "json"))["running"]
    own_node.junctord.start()  # looking holds nothing


def test_offline_status_of_a_hook_that_is_gone(dead_node):
    folder, = Path(dead_node.pins).glob("v*")
    (folder / "jn_connect4").unlink()
    done = dead_node.run(built("junctor"), "status", "--offline", "--pin-dir", dead_node.pins,
                         check=False)
    assert done.returncode == 6
    assert "connect4 (NOT attached)" in done.stdout
    assert "HookMissing: connect4 is not attached" in done.stdout


def test_offline_status_of_nothing(bare_node):
    done = bare_node.run(built("junctor"), "status", "--offline", "--pin-dir", bare_node.pins,
                         check=False)
    assert done.returncode == 1
    assert "has nothing below" in done.stderr


def test_pin_dir_goes_with_offline_only(own_node):
    done = own_node.run(built("junctor"), "status", "--pin-dir", own_node.pins, check=False)
    assert done.returncode == 2 and "--offline" in done.stderr


def test_looking_needs_root_and_says_so(dead_node):
    done = dead_node.run("setpriv", "--reuid=65534", "--clear-groups", built("junctor"), "status",
                         "--offline", "--pin-dir", dead_node.pins, check=False)
    assert done.returncode == 1 and "run it as root" in done.stderr, done


def test_cleanup_after_looking(dead_node):
    status(dead_node)
    dead_node.run(built("junctor"), "cleanup", "--pin-dir", dead_node.pins, "--cgroup",
                  dead_node.cgroup)
    assert not list(Path(dead_node.pins).glob("v*"))
    assert connect_errno(dead_node, VIP)
