# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One junctord for a long time, under random operations, does not grow.

  one node (lib/node.py); the operations, VIPs and backends of test_model.py, without ends

SOAK=1 MINUTES=30: how long. Memory may grow while ids rest (a minute) and tables of the process find
their size; from a third of the time on it must stay, and so must the open files.
"""

import os
import time
from pathlib import Path

import pytest

from lib.history import HOSTS, PORTS
from lib.name_servers import NameServers
from test_model import LISTED, PICKED, Check

MINUTES = float(os.environ.get("MINUTES") or 10)
SEED = 1
SAMPLES = 60
GROWTH = 1.01  # of the middle third's memory to the last one's
SLACK_BYTES = 256 * 1024  # what the allocator keeps or gives back between two samples


def resident_bytes(junctord):
    pages = Path(f"/proc/{junctord.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def work(check, until):
    """Steps of the model check until then; no end of junctord among them."""
    while time.monotonic() < until:
        check.step += 1
        check.request()
        if check.step % LISTED == 0:
            check.check_lists()
        if check.step % PICKED == 0:
            check.check_tables()
            check.check_picks()


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_junctord_that_lives_long_does_not_grow(own_node):
    NameServers(own_node, HOSTS, PORTS)
    check = Check(own_node, SEED)
    begin, memory, files = time.monotonic(), [], []
    for number in range(1, SAMPLES + 1):
        work(check, begin + 60 * MINUTES * number / SAMPLES)
        memory.append(resident_bytes(own_node.junctord))
        files.append(len(own_node.junctord.open_files()))
    third = SAMPLES // 3
    middle, last = sum(memory[third:-third]) / third, sum(memory[-third:]) / third
    print(f"\nendurance: {check.step} steps in {MINUTES} minutes, resident {memory[0] >> 10} KiB at "
          f"first, {int(middle) >> 10} KiB in the middle, {int(last) >> 10} KiB at last, "
          f"{files[-1]} files")
    assert last <= GROWTH * middle + SLACK_BYTES, memory
    # Some are open for a moment, while it ends sockets; those that stay are what there always is.
    assert min(files[-third:]) <= min(files[third:-third]), files
    check.clean()
