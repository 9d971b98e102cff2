# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Flows that are there already: what an exchange over them costs each peer (rows 4 and 5).

A Load is a kind of exchange (exchange.c). Each run makes its flows anew, so that the counters of
their path move in every run. Knows nothing of targets or of tables to print.
"""

import json

import objects
from daemon import Junctord
from harness import Void, interleave, ratio, spread
from peer import CPU, Direct, Junctor, NftRules
from places import LISTEN, place_arguments

SERVICES, ENDPOINTS = 10, 10
AGAIN = "direct again"
HOOKED = "junctor, servers under its hooks too"
KEY = "cpu_us"  # headline: CPU time of both ends, an exchange


class Load:
    """A kind of exchange: its name, exchange.c's mode, and how it is run."""

    def __init__(self, name, mode, size, flows=1, special=None):
        self.name, self.mode, self.size, self.flows, self.special = name, mode, size, flows, special

    @property
    def is_apart(self):
        return self.special == "apart"

    def arguments(self):
        cpu = [] if self.is_apart else ["--cpu", CPU]
        special = [f"--{self.special}"] if self.special else []
        return ["--mode", self.mode, "--bytes", self.size, *cpu, *special]


class DirectUdp(Direct):
    """Sends to the servers themselves; what left its namespace counts."""

    def ways(self):
        return self.client.snmp("Udp", "OutDatagrams")


class Site:
    """The peers of one protocol, and the servers' addresses."""

    def __init__(self, bench, place, protocol):
        self.protocol = protocol
        services = objects.table(SERVICES, ENDPOINTS, place.plan, protocol)
        self.servers = [f"{address}:{objects.TARGET_PORT}" for service in services
                        for address in service.endpoints]
        machine, key = bench.machine, protocol.lower()
        self.away = away = machine.cgroup(f"{key}-direct")  # no hook sees it
        plain, beside = place.client(f"{key}-plain"), place.client(f"{key}-nft", has_rules=True)
        junctord = Junctord(machine, bench.junctord, f"{key}-junctor", plain)
        junctord.apply(objects.json_lines(services))
        nft = NftRules("nftables", place, beside, away, services)
        nft.load(services, machine.scratch)
        direct = Direct if protocol == "TCP" else DirectUdp
        self.peers = [direct("direct", place, plain, away, services),
                      direct(AGAIN, place, plain, away, services),
                      Junctor("junctor", place, plain, junctord, services), nft]
        if protocol == "UDP":  # whose servers name an address with each datagram: hooks see that
            self.peers.append(Junctor(HOOKED, place, plain, junctord, services))

    @staticmethod
    def due(peer, load, out):
        """How often the peer's counter must move in one run, at least."""
        each = out["ops"] + out["warm_up"]
        if isinstance(peer, DirectUdp):
            return each
        if isinstance(peer, Junctor) and (load.special == "fresh"
                                          or load.mode == "udp-unconnected"):
            return each
        # Once a connection, or an entry of conntrack, which a fresh socket may find there.
        return out["flows"]

    def exchange(self, bench, load, peer):
        """One run, with the proof of its path."""
        before = peer.ways()
        out = json.loads(peer.client.run(
            bench.program("exchange"), *place_arguments(peer.site, peer.client, peer.cgroup),
            *LISTEN, "--server-cgroup", peer.cgroup if peer.name == HOOKED else self.away,
            "--targets", ",".join(peer.targets[:load.flows]),
            "--servers", ",".join(self.servers), "--seconds", bench.seconds, *load.arguments()))
        out["proof"], out["due"] = peer.ways() - before, self.due(peer, load, out)
        if out["proof"] < out["due"]:
            raise Void(f"{peer.name}, {load.name}: {out['proof']} counted on its path,"
                       f" {out['due']} expected")
        out["cpu_us"] = out["cpu_ns"] / out["ops"] / 1000
        out["p50_us"] = out["p50_ns"] / 1000
        out["per_second"] = out["ops"] / out["wall_ns"] * 1e9
        return out

    def measure(self, bench, load):
        """{peer name: figures of each round}"""
        bench.say(load.name)
        figures = interleave(self.peers, bench.rounds,
                             lambda peer: self.exchange(bench, load, peer), bench.say)
        bench.say(f"{load.name}: A/A {floor(figures)}, junctor"
                  f" {ratio(figures, 'junctor', 'direct', KEY)}, of nftables"
                  f" {ratio(figures, 'junctor', 'nftables', KEY)}")
        return figures


def floor(figures, key=KEY):
    return ratio(figures, AGAIN, "direct", key)


def tabulate(row, site, load, figures):
    """One table a load: every peer against direct."""
    lines = []
    for peer in site.peers:
        seen = figures[peer.name]
        lines.append([peer.name, f"{spread(figures, peer.name, KEY):.2f}",
                      f"{ratio(figures, peer.name, 'direct', KEY)}",
                      f"{ratio(figures, peer.name, 'nftables', KEY)}",
                      f"{spread(figures, peer.name, 'p50_us').median:.2f}",
                      f"{spread(figures, peer.name, 'per_second').median:.0f}"])
        row.proofs.append(f"{load.name}, {peer.name}: {sum(v['proof'] for v in seen)} counted on"
                          f" its path of {sum(v['due'] for v in seen)} expected,"
                          f" {sum(v['ops'] for v in seen)} exchanges measured")
    row.add_noise(f"CPU time, {load.name}", floor(figures))
    row.add_table(load.name, ["peer", "CPU-us an exchange", "CPU: times direct",
                              "CPU: times nftables", "wall p50 us", "exchanges/s"], lines)
