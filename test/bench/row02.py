# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 2: does connecting get dearer as the table grows?

Every size has its own junctord (its own tables and cgroup) or its own namespace of rules, all of
them at once, so that sizes take turns like any peers. The services at the table's end are called.
Two junctords of the smallest size are the A/A that sizes are judged by.
"""

import objects
from daemon import Junctord
from harness import Claim, interleave, noise_limit, ratio, spread
from kernelstats import Counts, Statistics
from peer import Direct, IptablesRules, Junctor, NftRules, iptables_variant
from places import Across
from report import Row

ENDPOINTS = 10
SIZES = (10, 1000, 10000, 50000)
RULE_SIZES = (10, 1000, 10000)
AGAIN = f"junctor {SIZES[0]} again"
CONNECT4 = "cgroup_inet4_connect"
KEY, WALL = "cpu_us", "p50_us"


def build_junctors(bench, site, client):
    peers = []
    for name, size in [(f"junctor {size}", size) for size in SIZES] + [(AGAIN, SIZES[0])]:
        services = objects.table(size, ENDPOINTS, site.plan)
        junctord = Junctord(bench.machine, bench.junctord, name.replace(" ", "-"), client)
        seconds, _ = junctord.apply(objects.json_lines(services))
        bench.say(f"{name} services: loaded in {seconds:.2f} s")
        peers.append(Junctor(name, site, client, junctord, services))
    return peers


def build_rules(bench, site, away):
    peers = []
    for kind in (NftRules, IptablesRules):
        for size in RULE_SIZES:
            services = objects.table(size, ENDPOINTS, site.plan)
            client = site.client(f"{kind.kind}-{size}", has_rules=True)
            peer = kind(f"{kind.kind} {size}", site, client, away, services)
            peer.load(services, bench.machine.scratch)
            bench.say(f"{peer.name} services: loaded")
            peers.append(peer)
    return peers


def program_ns(bench, peer):
    """connect4's time a run, by the kernel's statistics, over fresh TCP sockets."""
    programs = peer.junctord.programs()
    before = Counts.read(programs)
    peer.connect(bench.program("connloop"), bench.seconds / 2)
    return {"ns": (Counts.read(programs) - before).ns_per_run(CONNECT4)}


def run(bench):
    row = Row(2, "connect against table size")
    site = Across(bench.machine)
    away = bench.machine.cgroup("direct")
    plain = site.client("plain")
    junctors = build_junctors(bench, site, plain)
    rules = build_rules(bench, site, away)
    called = objects.table(SIZES[0], ENDPOINTS, site.plan)
    direct, twin = (Direct(name, site, plain, away, called) for name in ("direct", "direct again"))

    def measure(peer):
        return peer.connect(bench.program("connloop"), bench.seconds)
    floor = ratio(interleave([direct, twin], bench.rounds, measure, bench.say), twin.name,
                  direct.name, KEY)
    bench.say(f"A/A {floor}")
    figures = interleave([direct, *junctors, *rules], bench.rounds, measure, bench.say)
    with Statistics():
        programs = interleave(junctors, bench.rounds, lambda peer: program_ns(bench, peer),
                              bench.say)
    report(row, [direct, *junctors, *rules], figures, programs, floor)
    return row


def report(row, peers, figures, programs, floor):
    row.add_noise("CPU time, direct", floor)
    lines, bars = [], []
    for peer in peers:
        first = peer.name.split()[0] + (f" {SIZES[0]}" if peer.name != "direct" else "")
        over_direct = ratio(figures, peer.name, "direct", KEY)
        bars.append((peer.name, over_direct))
        lines.append([peer.name, f"{spread(figures, peer.name, KEY):.2f}", f"{over_direct}",
                      f"{ratio(figures, peer.name, first, KEY)}",
                      f"{ratio(figures, peer.name, first, WALL)}",
                      f"{spread(programs, peer.name, 'ns'):.0f}" if peer.name in programs else "-"])
        row.proofs.append(f"{peer.name}: {sum(v['proof'] for v in figures[peer.name]):.0f}"
                          f" connections counted on its path,"
                          f" {sum(v['ops'] for v in figures[peer.name])} measured")
    row.add_table(f"socket + connect + accept + close, N services x {ENDPOINTS}, the last called",
                  ["peer, services", "CPU-us an operation", "CPU: times direct",
                   "CPU: times its smallest table", "wall p50: times its smallest",
                   "connect4, ns a run"], lines)
    row.add_plot("size", "connect to a VIP, by table size", "CPU time, times direct", bars)

    claim(row, figures, programs)
    row.notes.append(f"rules are rule-equivalent (rules.py), {iptables_variant()}; not loaded at"
                     f" {SIZES[-1]} x {ENDPOINTS}: row 17 says how long such tables take")


def claim(row, figures, programs):
    last, small = f"junctor {SIZES[-1]}", f"junctor {SIZES[0]}"
    row.claims.append(Claim(f"connect4, {SIZES[-1]} / {SIZES[0]} services", 1.15,
                            ratio(programs, last, small, "ns")))
    for key, text in ((KEY, "CPU an operation"), (WALL, "wall p50")):
        twins = ratio(figures, AGAIN, small, key)
        row.add_noise(f"{text}, two junctords of {SIZES[0]}", twins)
        row.claims.append(Claim(f"{text}, {SIZES[-1]} / {SIZES[0]}: within A/A of {SIZES[0]}",
                                noise_limit(twins), ratio(figures, last, small, key)))
