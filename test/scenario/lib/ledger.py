# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A running load (load.py) and its ledger: what was lost is counted, never inferred."""

import collections
import json
import subprocess

from lib.servers import BIG_SHA256

SHARE_THAT_COUNTS = 0.99


class Load:
    """with Load(node, address, fresh=100) as load: ...; afterwards load.ledger."""

    def __init__(self, node, address, port=80, idle=0, busy=0, fresh=0):
        self.node = node
        self.path = node.folder / f"ledger-{id(self)}"
        self.plan = {"url": [address, port], "idle": idle, "busy": busy, "fresh": fresh}
        self.ledger = None

    def __enter__(self):
        self.process = self.node.python("load.py", self.path, json.dumps(self.plan),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, failure, *_):
        self.process.stdin.close()
        code = self.process.wait(60)
        if failure is None:
            assert code == 0, "the load broke"
            self.ledger = Ledger(**json.loads(self.path.read_text(encoding="utf-8")))
        self.path.unlink(missing_ok=True)


class Ledger:
    def __init__(self, planned, lines):
        self.planned, self.lines = planned, lines
        assert len(lines) >= SHARE_THAT_COUNTS * planned, (len(lines), planned)

    def of(self, kind, after=0.0, before=float("inf")):
        return [line for line in self.lines
                if line["kind"] == kind and after <= line["begin"] < before]

    def servers(self, **which):
        """Counter of who answered the fresh connections."""
        return collections.Counter(line["server"] for line in self.of("fresh", **which)
                                   if "server" in line)

    def assert_nothing_lost(self):
        lost = [line for line in self.lines if line["error"]]
        assert not lost, (len(lost), len(self.lines), lost[:5])
        assert all(line["sha256"] == BIG_SHA256 for line in self.of("busy")), "changed bytes"
