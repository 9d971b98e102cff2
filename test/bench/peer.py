# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The peers of a comparison: a direct connection, junctor, rules in nftables and iptables.

Each one is a place (namespace, cgroup), a list of addresses to connect to, and a count of the
connections that took its path, read before and after a run: the proof.
"""

import json
import shutil
import time

import kernelstats
import rules
from harness import Void
from machine import Broken
from objects import SERVICE_PORT, TARGET_PORT, called
from places import place_arguments

NFT_CHUNK = 500  # services a transaction, where loading is not what is measured
CPU = 0  # both ends, one thread


class Peer:
    """Somebody who connects. ways() counts the connections that took the expected path."""

    def __init__(self, name, site, client, cgroup, targets):
        self.name, self.site, self.client, self.cgroup = name, site, client, cgroup
        self.targets = targets

    def ways(self):
        raise NotImplementedError

    def loop(self, binary, mode="tcp", seconds=1.0, count=0):
        """One run of the connect loop, as it says itself."""
        return json.loads(self.client.run(
            binary, *place_arguments(self.site, self.client, self.cgroup), "--mode", mode,
            "--targets", ",".join(self.targets), "--seconds", seconds, "--count", count,
            "--cpu", CPU))

    def connect(self, binary, seconds):
        """Fresh TCP connections for some seconds, with the proof of their path."""
        before = self.ways()
        out = self.loop(binary, seconds=seconds)
        out["proof"] = self.ways() - before
        made = out["ops"] + out["warm_up"]
        if out["proof"] < made:
            raise Void(f"{self.name}: {made} connections, but {out['proof']:.0f} took its path")
        out["cpu_us"] = out["cpu_ns"] / out["ops"] / 1000
        out["p50_us"] = out["p50_ns"] / 1000
        out["per_second"] = out["ops"] / out["wall_ns"] * 1e9
        return out


class Direct(Peer):
    """Connects to the servers themselves; TcpActiveOpens counts, and no program may run."""

    def __init__(self, name, site, client, cgroup, services):
        targets = [f"{address}:{TARGET_PORT}" for service in called(services)
                   for address in service.endpoints]
        super().__init__(name, site, client, cgroup, targets)
        if kernelstats.effective(cgroup):
            raise Void(f"{name}: programs are attached above its cgroup")

    def ways(self):
        return self.client.snmp("Tcp", "ActiveOpens")


def vips(services):
    return [f"{service.vip}:{SERVICE_PORT}" for service in called(services)]


class Junctor(Peer):
    """Connects to VIPs that junctord serves; its own counters count."""

    def __init__(self, name, site, client, junctord, services):
        super().__init__(name, site, client, junctord.cgroup, vips(services))
        self.junctord = junctord

    def ways(self):
        return self.junctord.connections()


class NftRules(Peer):
    """kube-proxy's shape in nftables; the named counter in the called chains counts."""

    kind = "nftables"

    def __init__(self, name, site, client, cgroup, services):
        super().__init__(name, site, client, cgroup, vips(services))
        self.shape = rules.Nft(site.plan)

    @staticmethod
    def command(path):
        return ["nft", "-f", path]

    def load(self, services, folder):
        """Sets the table up, in transactions small enough to be quick."""
        self.forget_soon()
        self.feed(self.shape.base(), folder)
        for start in range(0, len(services), NFT_CHUNK):
            self.feed(self.shape.add(services[start:start + NFT_CHUNK]), folder)

    def forget_soon(self):
        """Connections that were reset are not found again by a later one with their ports."""
        self.client.sysctl("net.netfilter.nf_conntrack_tcp_timeout_close", 1)

    def feed(self, pieces, folder, seconds=None):
        """Loads one file as kube-proxy would; returns the seconds it took."""
        path = rules.write(f"{folder}/{self.kind}.rules", pieces)
        start = time.monotonic()
        self.client.run(*self.command(path), timeout=seconds)
        return time.monotonic() - start

    def ways(self):
        listed = json.loads(self.client.run("nft", "-j", "list", "counter", "ip", "kube-proxy",
                                            "called"))
        return sum(one["counter"]["packets"] for one in listed["nftables"] if "counter" in one)


class IptablesRules(NftRules):
    """kube-proxy's shape in iptables; the called services' chains count."""

    kind = "iptables"

    def __init__(self, name, site, client, cgroup, services):
        super().__init__(name, site, client, cgroup, services)
        self.shape = rules.Iptables(site.plan)
        self.chains = {self.shape.service_chain(service) for service in called(services)}

    @staticmethod
    def command(path):
        return [f"{iptables_variant()}-restore", "--noflush", path]

    def load(self, services, folder):
        self.forget_soon()
        self.feed(self.shape.full(services), folder)

    def ways(self):
        packets = 0
        for line in self.client.run(f"{iptables_variant()}-save", "-c", "-t", "nat").splitlines():
            words = line.split()
            if len(words) > 3 and words[1:3] == ["-A", "KUBE-SERVICES"] and words[-1] in self.chains:
                packets += int(words[0].strip("[]").split(":")[0])
        return packets


def iptables_variant():
    """The legacy tool where there is one: it loads large tables many times faster."""
    for name in ("iptables-legacy", "iptables"):
        if shutil.which(f"{name}-restore"):
            return name
    raise Broken("iptables is missing: apt-get install iptables")
