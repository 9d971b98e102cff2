# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""junctord ended at its k-th step of a change; see tools/crash_at.c.

with CrashAt(junctord, "syscalls", 7) as crash: send the change
afterwards: crash.is_dead, crash.steps (how many there were), crash.where ("fsync", "store", ...)
"""

import subprocess

from lib.node import tool

SETTLE_SECONDS = 5


class CrashAt:
    def __init__(self, junctord, what, step):
        self.junctord = junctord
        self.arguments = [str(junctord.pid), what, str(step)]

    def __enter__(self):
        self.process = subprocess.Popen([tool("crash_at"), *self.arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        said = self.process.communicate(timeout=SETTLE_SECONDS)[0].split()
        self.is_dead = said[0] == "killed"
        self.steps = int(said[1])
        self.where = said[2] if len(said) > 2 else ""
        if self.is_dead:
            self.junctord.process.wait()
