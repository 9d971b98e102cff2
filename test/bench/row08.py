# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 8: what an HTTP request costs over a kept connection through a VIP, across two namespaces.

wrk with 1, 32 and 256 connections, replies of 200 B and 16 KB, against a direct connection, rules
and L4 proxies: all on one CPU first (the headline), then once where the scheduler puts them.
"""

import web
from harness import Claim, noise_limit, ratio
from places import Across
from report import Row
from web import KEY, Load

LOADS = [Load(connections, size) for size in web.SIZES for connections in (1, 32, 256)]
UNPINNED = Load(32, 200, is_pinned=False)


def run(bench):
    row = Row(8, "L4 HTTP, keep-alive")
    site = web.Site(bench, Across(bench.machine))
    bars = []
    for load in LOADS:
        figures = site.measure(bench, load)
        web.tabulate(row, site, load, figures)
        over_direct, best = ratio(figures, "junctor", "direct", KEY), web.best(figures)
        bars += [(f"{name}, {load.name}", ratio(figures, name, "direct", KEY))
                 for name in ("junctor", "nftables", *web.PROXIES)]
        row.claims += [Claim(f"junctor / direct, {load.name}: within A/A",
                             noise_limit(web.floor(figures)), over_direct),
                       Claim(f"junctor / best proxy, {load.name}", 0.55,
                             ratio(figures, "junctor", best, KEY),
                             note=f"{best}; a direct request:"
                                  f" {ratio(figures, 'direct', best, KEY)}")]
    row.add_plot("kept", "HTTP over kept connections", "CPU time, times direct", bars)
    web.tabulate(row, site, UNPINNED, site.measure(bench, UNPINNED))
    row.notes += web.NOTES
    return row
