# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The disk of the state folder does not answer: what was there is served, and it is told.

  one node (lib/node.py), its state on an ext4 that is frozen (fsfreeze), as a disk that hangs
  VIP 127.96.0.10, 80/TCP   ->   nginx a 127.0.0.1:8081
"""

import threading

import pytest

from lib.clients import name_at
from lib.junctord import wait_for
from lib.objects import service
from lib.servers import SERVERS
from machine import run

TOLD_SECONDS = 30  # looked at each 10 s, told after 5
MIB = 1 << 20


@pytest.fixture
def disk(bare_node):
    """The folder of a small disk."""
    image, folder = bare_node.folder / "disk", bare_node.folder / "mounted"
    with open(image, "wb") as file:
        file.truncate(16 * MIB)
    run("mkfs.ext4", "-q", image)
    folder.mkdir()
    run("mount", "-o", "loop", image, folder)
    bare_node.machine.callback(run, "umount", "-l", folder)
    return folder


def test_a_disk_that_hangs_is_told(bare_node, disk):
    node = bare_node
    node.servers.http(a=SERVERS["a"])
    node.junctord.start(state_dir=disk / "state")
    node.control.declare(service("web", "127.96.0.10", 80, [SERVERS["a"]]))
    answers = []
    writer = threading.Thread(target=lambda: answers.append(
        node.control.apply(service("late", "127.96.0.11", 80, [SERVERS["a"]]), timeout=90)))
    run("fsfreeze", "-f", disk)
    try:
        writer.start()
        wait_for(lambda: any("StoreHangs: the disk" in one
                             for one in node.control.status()["degraded"]), "it is told",
                 TOLD_SECONDS)
        assert name_at(node, "127.96.0.10") == "a"
        assert node.control.get("/livez").status == 200
        refused = node.control.get("/v1/verify")
        assert refused.status == 503 and "disk of the state folder" in refused.json["message"]
        assert not answers, "it is not durable"
    finally:
        run("fsfreeze", "-u", disk)
    writer.join()
    assert answers[0].status == 200 and answers[0].json["durable"], answers
    wait_for(lambda: not node.control.status()["degraded"], "all is well again", TOLD_SECONDS)
    assert name_at(node, "127.96.0.11") == "a"
