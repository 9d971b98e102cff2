# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 9: what an HTTP request costs that has a connection of its own, across two namespaces.

wrk with 16 connections at a time, each ended by the backend after one reply, against a direct
connection, rules and L4 proxies: all on one CPU first (the headline), then where the scheduler
puts them.
"""

import web
from harness import Claim, ratio
from places import Across
from report import Row
from web import KEY, Load

LOAD = Load(16, 200, is_kept=False)
UNPINNED = Load(16, 200, is_kept=False, is_pinned=False)


def run(bench):
    row = Row(9, "L4 HTTP, short connections")
    site = web.Site(bench, Across(bench.machine))
    figures = site.measure(bench, LOAD)
    web.tabulate(row, site, LOAD, figures)
    for base, limit in (("direct", 1.10), ("haproxy", 0.85), ("nftables", 0.9)):
        row.claims.append(Claim(f"junctor / {base}, {LOAD.name}", limit,
                                ratio(figures, "junctor", base, KEY)))
    row.add_plot("short", "HTTP, a connection each", "CPU time, times direct",
                 [(peer.name, ratio(figures, peer.name, "direct", KEY)) for peer in site.peers])
    web.tabulate(row, site, UNPINNED, site.measure(bench, UNPINNED))
    row.notes += web.NOTES
    return row
