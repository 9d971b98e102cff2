# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A junctord under valgrind, which loses no memory: over changes, comparisons, canaries, a reload.

  one node (lib/node.py), no server

SOAK=1 takes more changes. What valgrind says of values is not looked at: it does not know what bpf() fills.
"""

import os
import re
import signal

from lib.junctord import wait_for
from lib.node import built
from lib.objects import SERVICES, policy, service

ROUNDS = 30 if os.environ.get("SOAK") else 9
START_SECONDS = 120  # valgrind is slow, and so may be the machine


def test_nothing_is_lost(bare_node):
    node, report = bare_node, bare_node.folder / "valgrind.log"
    node.junctord.launch("valgrind", "--leak-check=full", f"--log-file={report}")
    wait_for(lambda: os.path.exists(node.socket_path), "it serves", START_SECONDS)
    for number in range(ROUNDS):
        name, vip = f"web{number}", f"127.96.0.{number + 1}"
        node.control.declare(service(name, vip, 80, ["127.0.0.1:8081", "10.1.0.1:8081"]),
                             policy(name, name, algorithm="Maglev"))
        node.said(built("junctor"), "verify", "--socket", node.socket_path)
        assert node.control.apply(service(name, vip, 0, [])).status == 422
        if number % 3 == 0:
            os.kill(node.junctord.pid, signal.SIGHUP)
            assert node.control.delete(f"{SERVICES}/{name}").status == 200
    wait_for(lambda: all("effective" in hook for hook in node.control.status()["hooks"]),
             "canaries have come home", 30)
    assert node.junctord.terminate() == 0
    assert re.search(r"definitely lost: 0 bytes", report.read_text()), report.read_text()[-4000:]
