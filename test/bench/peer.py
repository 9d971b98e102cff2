# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The peers of a comparison: a direct connection, junctor, rules in nftables and iptables.

Each one is a place (namespace, cgroup), a list of addresses to connect to, and a count of the
connections that took its path, read before and after a run: the proof.
"""

import json
import os
import shutil
import sys
import time

import kernelstats
import rules
from harness import Void
from machine import Broken
from objects import SERVICE_PORT, TARGET_PORT, called
from places import LISTEN, place_arguments

NFT_COUNTER = f"{os.path.dirname(os.path.abspath(__file__))}/nftcounter.py"
NFT_CHUNK = 500  # services a transaction: nftables' time grows with the square of them
CPU = 0  # both ends, one thread


class Peer:
    """Somebody who connects. ways() counts the connections that took the expected path."""

    def __init__(self, name, site, client, cgroup, targets):
        self.name, self.site, self.client, self.cgroup = name, site, client, cgroup
        self.targets = targets

    def ways(self):
        raise NotImplementedError

    def loop_command(self, binary, *more):
        return [binary, *place_arguments(self.site, self.client, self.cgroup), *LISTEN,
                "--targets", ",".join(self.targets), *more]

    def loop(self, binary, mode="tcp", seconds=1.0):
        """One run of the connect loop, as it says itself."""
        return json.loads(self.client.run(*self.loop_command(
            binary, "--mode", mode, "--seconds", seconds, "--cpu", CPU)))

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

    def transactions(self, services):
        yield self.shape.base()
        for start in range(0, len(services), NFT_CHUNK):
            yield self.shape.add(services[start:start + NFT_CHUNK])

    def load(self, services, folder, limit=None):
        """Sets the table up; returns the seconds it took. TimeoutExpired past the limit."""
        seconds = 0.0
        for pieces in self.transactions(services):
            seconds += self.feed(pieces, folder, limit and limit - seconds)
        self.forget_soon()
        return seconds

    def forget_soon(self):
        """Flows that ended are not found again by a later one with their ports."""
        for state in ("tcp_timeout_close", "tcp_timeout_time_wait", "udp_timeout"):
            self.client.sysctl(f"net.netfilter.nf_conntrack_{state}", 1)

    def feed(self, pieces, folder, limit):
        """Loads one file as kube-proxy would; returns the seconds it took."""
        path = rules.write(f"{folder}/{self.kind}.rules", pieces)
        start = time.monotonic()
        self.client.run(*self.command(path), timeout=limit)
        return time.monotonic() - start

    def ways(self):
        return int(self.client.run(sys.executable, NFT_COUNTER, "kube-proxy", "called"))


class NftWhole(NftRules):
    """The same in one transaction, which is how kube-proxy's first sync loads it."""

    kind = "nftables-whole"

    def transactions(self, services):
        yield self.shape.full(services)


class IptablesRules(NftWhole):
    """kube-proxy's shape in iptables; the jump to KUBE-SERVICES counts (a sync resets the rest).

    Nobody but the rules answers for a VIP: a connection that was made was translated.
    """

    kind = "iptables"

    def __init__(self, name, site, client, cgroup, services):
        super().__init__(name, site, client, cgroup, services)
        self.shape = rules.Iptables(site.plan)

    @staticmethod
    def command(path):
        return [f"{iptables_variant()}-restore", "--noflush", path]

    def ways(self):
        listed = self.client.run(iptables_variant(), "-t", "nat", "-nvxL", "OUTPUT")
        return sum(int(line.split()[0]) for line in listed.splitlines() if "KUBE-SERVICES" in line)


def iptables_variant():
    """The legacy tool where there is one: it loads large tables many times faster."""
    for name in ("iptables-legacy", "iptables"):
        if shutil.which(f"{name}-restore"):
            return name
    raise Broken("iptables is missing: apt-get install iptables")
