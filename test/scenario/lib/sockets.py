# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Many sockets in other namespaces, each a program of its own; and the namespaces."""

import json
import subprocess


class Holder:
    """holder.py in a namespace; the cgroup is the node's unless another is named."""

    def __init__(self, node, space=None, **where):
        self.process = node.python("holder.py", space=space, text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, **where)

    def say(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, **request):
        self.say(**request)
        return self.hear()

    def open(self, group, kind, to, count=1):
        assert self.ask(open=group, kind=kind, to=to, count=count) == count

    def fates(self, group):
        return {name: count for name, (count, _) in self.ask(fates=group).items()}

    def told_at(self, group, name):
        """When the last one of the group was told this."""
        return self.ask(fates=group)[name][1]


def each(holders, **request):
    """The same request to all of them, at once; their answers."""
    for one in holders:
        one.say(**request)
    return [one.hear() for one in holders]


def leaf(node, machine, name):
    """A namespace that reaches the node's 10.1.0.0/24 over a veth pair."""
    space = machine.namespace(name)
    gateway = machine.link(space, node.space)
    space.run("ip", "route", "add", "10.1.0.0/24", "via", gateway)
    space.run("ip", "route", "add", "blackhole", "10.96.0.0/16")
    return space
