# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 1: what connecting to a VIP costs, against connecting directly and against rules.

Two set-ups (places.py), ten services. Beside it what rules of kube-proxy's shape do to a direct
connection that has nothing to do with them.
"""

import objects
from daemon import Junctord
from harness import Claim, Spread, interleave, ratio, spread
from peer import Direct, IptablesRules, Junctor, NftRules, iptables_variant
from places import Across, Loopback
from report import Row

SERVICES, ENDPOINTS = 10, 10
# Each of them brings work of its own to a connection; no limit is reached.
EVERYTHING = {"algorithm": "Ewma", "slowStartSeconds": 30, "outlier": {},
              "limits": {"connections": 1000000, "newConnectionsPerSecond": 1000000000,
                         "connectionsPerBackend": 1000000}}
KEY = "cpu_us"  # headline: CPU time of both ends, an operation


def build(bench, site):
    machine = bench.machine
    services = objects.table(SERVICES, ENDPOINTS, site.plan)
    away = machine.cgroup(f"{site.key}-direct")  # no hook sees it
    plain = site.client(f"{site.key}-plain")
    beside_nft = site.client(f"{site.key}-nft", has_rules=True)
    beside_iptables = site.client(f"{site.key}-iptables", has_rules=True)

    junctord = Junctord(machine, bench.junctord, f"{site.key}-junctor", plain)
    junctord.apply(objects.json_lines(services))
    everything = Junctord(machine, bench.junctord, f"{site.key}-everything", plain)
    everything.apply(objects.json_lines(services) + objects.policy_lines(services, EVERYTHING))
    nft = NftRules("nftables", site, beside_nft, away, services)
    nft.load(services, machine.scratch)
    iptables = IptablesRules("iptables", site, beside_iptables, away, services)
    iptables.load(services, machine.scratch)
    return [Direct("direct", site, plain, away, services),
            Junctor("junctor", site, plain, junctord, services),
            Junctor("junctor, everything on", site, plain, everything, services), nft, iptables,
            Direct("direct, nftables rules beside", site, beside_nft, away, services),
            Direct("direct, iptables rules beside", site, beside_iptables, away, services)]


def noise(bench, row, site, direct):
    """A/A: the same peer twice."""
    twin = Direct("direct again", site, direct.client, direct.cgroup, [])
    twin.targets = direct.targets
    figures = interleave([direct, twin], bench.rounds, lambda peer: measure(bench, peer), bench.say)
    floor = ratio(figures, twin.name, direct.name, KEY)
    row.add_noise(f"CPU time, {site.title}", floor)
    bench.say(f"{site.title}: A/A {floor}")
    return floor


def measure(bench, peer):
    return peer.connect(bench.program("connloop"), bench.seconds)


def tabulate(row, site, peers, figures):
    lines, bars = [], []
    for peer in peers:
        over = ratio(figures, peer.name, "direct", KEY)
        bars.append((peer.name, over))
        lines.append([peer.name, f"{spread(figures, peer.name, KEY):.2f}", f"{over}",
                      f"{ratio(figures, peer.name, 'direct', 'p50_us')}",
                      f"{spread(figures, peer.name, 'p50_us').median:.2f}",
                      f"{spread(figures, peer.name, 'per_second').median:.0f}"])
    row.add_table(f"{site.title}: socket + connect + accept + close, {SERVICES} services",
                  ["peer", "CPU-us an operation", "CPU: times direct", "wall p50: times direct",
                   "wall p50 us", "operations/s"], lines)
    row.add_plot(site.key, f"connect to a VIP, {site.title}", "CPU time, times direct", bars)
    for peer in peers:
        row.proofs.append(f"{site.key}, {peer.name}: "
                          f"{sum(values['proof'] for values in figures[peer.name])} connections"
                          f" counted on its path, {sum(v['ops'] for v in figures[peer.name])}"
                          f" measured")


def claim(row, site, figures):
    over_direct = ratio(figures, "junctor", "direct", KEY)
    if site.key == "veth":
        row.claims.append(Claim(f"junctor / direct, {site.title}", 1.05, over_direct))
    else:
        row.claims += [Claim(f"junctor / direct, {site.title}", 1.10, over_direct),
                       Claim(f"junctor / direct, {site.title}, in 75 % of the rounds", 1.15,
                             Spread([over_direct.high]))]
    row.claims.append(Claim(f"junctor / direct, everything on, {site.title}", 1.20,
                            ratio(figures, "junctor, everything on", "direct", KEY)))
    row.claims.append(Claim(f"junctor / nftables, {site.title}", 0.75,
                            ratio(figures, "junctor", "nftables", KEY)))
    row.claims.append(Claim(f"junctor / iptables, {site.title}", 0.72,
                            ratio(figures, "junctor", "iptables", KEY)))


def run(bench):
    row = Row(1, "connect to a VIP")
    for kind in (Across, Loopback):
        site = kind(bench.machine)
        peers = build(bench, site)
        noise(bench, row, site, peers[0])
        figures = interleave(peers, bench.rounds, lambda peer: measure(bench, peer), bench.say)
        tabulate(row, site, peers, figures)
        claim(row, site, figures)
    row.notes.append(f"nftables and iptables are rule-equivalent (rules.py), {iptables_variant()};"
                     " every connection is reset by the client, both ends are one thread on CPU 0")
    return row
