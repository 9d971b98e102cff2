# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 18: what junctor occupies with 10,000 services x 10 loaded, idle and under load.

Maps: what the kernel says each costs it. Private memory: pages of junctord that are its own,
without the tables it maps; RSS counts those too. Idle: nobody connects, nobody asks. Under load:
connects as fast as one CPU makes them. A window of rounds is too short for what junctord does by
itself (canaries each 10 s, a comparison of all tables each 60 s), so its idle CPU time is told of two
minutes in one. junctord lives within the cgroup that it serves, as on a host, where that is the root:
from outside, each round of canaries takes a process of its own. Absolute figures, so there is no A/A.
"""

import time
from pathlib import Path

import objects
from daemon import Junctord
from harness import Claim, Spread, Void, interleave, spread
from kernelstats import map_bytes
from peer import Junctor
from places import Across
from report import Row

SERVICES, ENDPOINTS = 10000, 10
SETTLE_SECONDS = 3
IDLE_SECONDS = 120
MB = 1e6


class Window:
    """Some seconds of a loaded junctord, and what it used of the machine in them."""

    def __init__(self, name, pass_time, peer):
        self.name, self.pass_time, self.peer = name, pass_time, peer

    def measure(self):
        junctord = self.peer.junctord
        cpu, start = junctord.cpu_seconds(), time.monotonic()
        made = self.pass_time()
        share = (junctord.cpu_seconds() - cpu) / (time.monotonic() - start)
        memory = junctord.memory()
        return {"cpu": share * 100, "private": memory["private"] / MB,
                "resident": memory["resident"] / MB, "made": made}


def run(bench):
    row = Row(18, "footprint, fixed tables")
    site = Across(bench.machine)
    plain = site.client("plain")
    services = objects.table(SERVICES, ENDPOINTS, site.plan)
    junctord = Junctord(bench.machine, bench.junctord, "junctor", plain)
    Path(junctord.cgroup, "cgroup.procs").write_text(str(junctord.process.pid), encoding="ascii")
    junctord.apply(objects.json_lines(services))
    peer = Junctor("junctor", site, plain, junctord, services)
    time.sleep(SETTLE_SECONDS)

    def idle():
        time.sleep(bench.seconds)
        return 0

    def load():
        return peer.loop(bench.program("connloop"), seconds=bench.seconds)["ops"]
    before = peer.ways()
    windows = [Window("idle", idle, peer), Window("under load", load, peer)]
    figures = interleave(windows, bench.rounds, lambda window: window.measure(), bench.say)
    bench.say(f"    {IDLE_SECONDS} s of nothing")
    quiet = Window("idle", lambda: time.sleep(IDLE_SECONDS), peer).measure()["cpu"]
    maps = map_bytes(junctord.pins, junctord.programs())
    report(row, figures, maps, junctord.memory()["peak"] / MB)
    row.claims.append(Claim(f"CPU, idle, {IDLE_SECONDS} s", 0.1, Spread([quiet]), "%"))
    counted, made = peer.ways() - before, sum(one["made"] for one in figures["under load"])
    if counted < made:
        raise Void(f"{made} connections, but {counted} took junctor's path")
    row.proofs.append(f"loaded: {junctord.usage()}; {counted} connections counted, {made} measured")
    return row


def report(row, figures, maps, peak):
    total = sum(maps.values()) / MB
    lines = [[name, f"{size / MB:.2f}"] for name, size in sorted(maps.items(), key=lambda m: -m[1])]
    row.add_table(f"Maps with {SERVICES} services x {ENDPOINTS}: memory in the kernel, MB",
                  ["map", "MB"], [*lines, ["all", f"{total:.2f}"]])
    row.add_table("junctord", ["window", "CPU, %", "private memory, MB", "RSS, MB"],
                  [[name, *(f"{spread(figures, name, key)}" for key in
                            ("cpu", "private", "resident"))] for name in figures])
    row.add_plot("memory", "memory", "MB", [
        ("maps", Spread([total])), ("private", spread(figures, "idle", "private")),
        ("RSS, tables included", spread(figures, "idle", "resident")),
        ("peak RSS", Spread([peak]))])
    row.claims += [Claim("maps", 40, Spread([total]), "MB"),
                   Claim("peak RSS, with the load of the table", 120, Spread([peak]), "MB")]
    for name in figures:
        row.claims += [Claim(f"private memory, {name}", 40, spread(figures, name, "private"), "MB"),
                       Claim(f"RSS, {name}", 64, spread(figures, name, "resident"), "MB")]
