# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Where clients and servers live.

  Across        client namespaces, each with a veth pair to the one with the servers
                  [plain]--10.201.1.0/24--+
                  [nft]----10.201.2.0/24--+--[servers: all of 10.200.0.0/16]
                  [iptables]-10.201.3.0/24+
  Loopback      a namespace a client, its servers in it, on 127.100.0.0/16

No namespace has a default route. The VIP range is a blackhole wherever a hook translates; where
rules translate it must have a route, which ends at the servers' blackhole.
"""

from objects import LOOPBACK, TARGET_PORT, VETH


class Across:
    title = "across two namespaces (veth)"
    key = "veth"
    plan = VETH

    def __init__(self, machine):
        self.machine = machine
        self.servers = machine.namespace("servers")
        for network in (self.plan.vip_range, self.plan.filler_range):
            self.servers.run("ip", "route", "add", "blackhole", network)
        self.servers.run("ip", "route", "add", "local", self.plan.server_range, "dev", "lo")

    def client(self, name, has_rules=False):
        space = self.machine.namespace(name)
        gateway = self.machine.link(space, self.servers)
        space.run("ip", "route", "add", self.plan.server_range, "via", gateway)
        if has_rules:
            space.run("ip", "route", "add", self.plan.vip_range, "via", gateway)
        else:
            space.run("ip", "route", "add", "blackhole", self.plan.vip_range)
        return space

    def server(self, _client):
        return self.servers


class Loopback:
    title = "loopback"
    key = "loopback"
    plan = LOOPBACK

    def __init__(self, machine):
        self.machine = machine

    def client(self, name, has_rules=False):
        space = self.machine.namespace(name)
        if not has_rules:
            space.run("ip", "route", "add", "blackhole", self.plan.vip_range, "table", "local")
        return space

    @staticmethod
    def server(client):
        return client


LISTEN = ["--listen", f"0.0.0.0:{TARGET_PORT}"]


def place_arguments(site, client, cgroup):
    """What the load programs need to know to be in the right place."""
    return ["--cgroup", cgroup, "--client-netns", client.path,
            "--server-netns", site.server(client).path]
