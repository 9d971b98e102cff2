# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 5: UDP through a VIP, connected and unconnected sockets, 64 and 1400 bytes.

A datagram there and one back, across two namespaces, over ten flows in turn, both ends in one
thread; then the same with a socket for each exchange, as a question to a name server has. A reply
must come under the VIP's name: exchange.c ends the run if one does not. Servers are another
machine's, so no hook of junctor sees them; beside it stand servers that its hooks see.
"""

import steady
from harness import Claim, noise_limit, ratio
from places import Across
from report import Row
from steady import KEY, Load

FLOWS = 10
SIZES = (64, 1400)
CONNECTED = [Load(f"connected, {size} B", "udp", size, flows=FLOWS) for size in SIZES]
UNCONNECTED = [Load(f"unconnected, {size} B", "udp-unconnected", size, flows=FLOWS)
               for size in SIZES]
FRESH = [Load("connected, a socket each, 64 B", "udp", 64, FLOWS, "fresh"),
         Load("unconnected, a socket each, 64 B", "udp-unconnected", 64, FLOWS, "fresh")]


def run(bench):
    row = Row(5, "UDP through a VIP")
    site = steady.Site(bench, Across(bench.machine), "UDP")
    bars = []
    for load in CONNECTED + UNCONNECTED + FRESH:
        figures = site.measure(bench, load)
        steady.tabulate(row, site, load, figures)
        over_direct = ratio(figures, "junctor", "direct", KEY)
        bars += [(f"junctor, {load.name}", over_direct),
                 (f"nftables, {load.name}", ratio(figures, "nftables", "direct", KEY))]
        claim(row, load, figures)
    row.add_plot("udp", "UDP through a VIP", "CPU time, times direct", bars)
    row.notes.append("nftables is rule-equivalent (rules.py): conntrack and NAT see every packet,"
                     " junctor's hooks see connect(), or each datagram of an unconnected socket")
    return row


def claim(row, load, figures):
    over_direct = ratio(figures, "junctor", "direct", KEY)
    over_nft = ratio(figures, "junctor", "nftables", KEY)
    if load in CONNECTED:
        row.claims += [Claim(f"junctor / direct, {load.name}: within A/A",
                             noise_limit(steady.floor(figures)), over_direct),
                       Claim(f"junctor / nftables, {load.name}", 0.8, over_nft)]
    elif load in UNCONNECTED:
        row.claims += [Claim(f"junctor / direct, {load.name}", 1.15, over_direct),
                       Claim(f"junctor / nftables, {load.name}", 0.8, over_nft,
                             note="a direct exchange: "
                                  f"{ratio(figures, 'direct', 'nftables', KEY)}")]
