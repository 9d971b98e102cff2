# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 4: what a connection costs once it is there, through a VIP, across two namespaces.

Request and response of one byte, and a stream of 64 KB writes, against a direct connection and
against rules. Both ends in one thread first (the headline), then as two threads that the scheduler
places, as two programs are.
"""

import steady
from harness import Claim, noise_limit, ratio
from places import Across
from report import Row
from steady import KEY, Load

LOADS = (Load("TCP_RR, 1 byte", "tcp-rr", 1),
         Load("stream, 64 KB writes", "tcp-stream", 65536),
         Load("TCP_RR, 1 byte, two threads, unpinned", "tcp-rr", 1, special="apart"),
         Load("stream, 64 KB writes, two threads, unpinned", "tcp-stream", 65536, special="apart"))


def run(bench):
    row = Row(4, "steady state: request/response and stream")
    site = steady.Site(bench, Across(bench.machine), "TCP")
    bars = []
    for load in LOADS:
        figures = site.measure(bench, load)
        steady.tabulate(row, site, load, figures)
        over_direct = ratio(figures, "junctor", "direct", KEY)
        bars += [(f"junctor, {load.mode}{', apart' if load.is_apart else ''}", over_direct),
                 (f"nftables, {load.mode}{', apart' if load.is_apart else ''}",
                  ratio(figures, "nftables", "direct", KEY))]
        if load.is_apart:
            continue
        row.claims += [Claim(f"junctor / direct, {load.name}: within A/A",
                             noise_limit(steady.floor(figures)), over_direct),
                       Claim(f"junctor / nftables, {load.name}", 0.9,
                             ratio(figures, "junctor", "nftables", KEY))]
    row.add_plot("steady", "steady state through a VIP", "CPU time, times direct", bars)
    row.notes.append("nftables is rule-equivalent (rules.py): conntrack and NAT see every packet")
    return row
