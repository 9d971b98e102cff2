# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory of a junctord that runs out at the n-th allocation; see tools/short_of_memory.c."""

import mmap
import os
import struct

from lib.node import tool

NUMBERS = struct.Struct("=QQQ")


class Memory:
    """From here on the node's junctord is the one whose allocations can fail."""

    def __init__(self, node):
        path = node.folder / "memory"
        path.write_bytes(bytes(NUMBERS.size))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), NUMBERS.size)
        node.junctord.program = tool("junctord_short_of_memory")
        os.environ["SHORT_OF_MEMORY"] = str(path)
        node.machine.callback(os.environ.pop, "SHORT_OF_MEMORY", None)

    def fail(self, at, length=1):
        """The at-th allocation from now, and those that follow up to a length, fail."""
        self.page[:] = NUMBERS.pack(0, at, length)

    def restore(self):
        """No more failures. Were there any since fail()?"""
        _, until, length = NUMBERS.unpack(self.page[:])
        calls = self.calls
        self.page[:] = NUMBERS.pack(calls, 0, 0)
        return not until or length == 0

    @property
    def calls(self):
        return NUMBERS.unpack(self.page[:])[0]
