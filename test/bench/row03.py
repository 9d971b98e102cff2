# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 3: what the hooks cost, by the kernel's own program statistics.

Each case is a loop whose calls all end one way (miss, warm hit, fresh socket); its figure is the
statistics' difference over the loop. Two programs stand beside them: what one that only says yes
shows is what the statistics cost themselves, what one that only takes a record's storage shows
besides is the kernel's part of a fresh socket. A stream proves that packets run no program.
"""

import json
import subprocess

import objects
from daemon import Junctord
from harness import Claim, Spread, Void, interleave, ratio, spread
from kernelstats import Counts, Statistics, attached
from machine import stop
from peer import CPU, Junctor, Peer
from places import LISTEN, Across, place_arguments
from report import Row

SERVICES, ENDPOINTS = 10, 10
CONNECT4 = "cgroup_inet4_connect"
STORAGE = "only storage taken, fresh TCP socket"
STREAM_SECONDS = 1


class Case:
    """A loop and the programs that are looked at while it runs."""

    def __init__(self, name, peer, mode):
        self.name, self.peer, self.mode = name, peer, mode
        self.programs = attached(peer.cgroup)

    def measure(self, bench):
        before = Counts.read(self.programs)
        out = self.peer.loop(bench.program("connloop"), self.mode, bench.seconds)
        seen = Counts.read(self.programs) - before
        calls = out["ops"] + out["warm_up"]
        if seen.runs(CONNECT4) != calls:
            raise Void(f"{self.name}: {calls} connects, {seen.runs(CONNECT4)} program runs")
        return {"connect4": seen.ns_per_run(CONNECT4), "all": seen.ns() / calls, "calls": calls}


def udp_twin(service):
    """The same service over UDP: a frontend of its own."""
    return objects.Service(f"{service.name}-udp", service.vip, service.endpoints, True, "UDP")


def build(bench, site):
    machine = bench.machine
    services = objects.table(SERVICES, ENDPOINTS, site.plan)
    plain = site.client("plain")
    junctord = Junctord(machine, bench.junctord, "junctor", plain)
    junctord.apply(objects.json_lines(services + [udp_twin(service) for service in services]))
    hit = Junctor("hit", site, plain, junctord, services)
    servers = [f"{address}:{objects.TARGET_PORT}" for address in services[0].endpoints]
    miss = Peer("miss", site, plain, junctord.cgroup, servers)

    def beside(name, *arguments):
        cgroup = machine.cgroup(name)
        machine.start(bench.program("nullprog"), cgroup, *arguments, stdin=subprocess.PIPE,
                      stdout=subprocess.PIPE).stdout.readline()
        return Peer(name, site, plain, cgroup, servers)
    trivial, record = beside("trivial"), beside("record", "--record")
    return hit, [
        Case("trivial program, UDP socket again", trivial, "udp"),
        Case("trivial program once more", trivial, "udp"),
        Case("trivial program, fresh TCP socket", trivial, "tcp"),
        Case(STORAGE, record, "tcp"),
        Case("miss, UDP socket again", miss, "udp"),
        Case("miss, fresh TCP socket", miss, "tcp"),
        Case("warm hit, UDP socket again", hit, "udp"),
        Case("warm hit, TCP socket again", hit, "tcp-reuse"),
        Case("hit, fresh UDP socket", hit, "udp-fresh"),
        Case("hit, fresh TCP socket", hit, "tcp")]


def stream(bench, row, hit):
    """Programs that run while one connection through the VIP carries a stream."""
    process = bench.machine.start(
        bench.program("stream"), *place_arguments(hit.site, hit.client, hit.cgroup), *LISTEN,
        "--targets", hit.targets[0], "--seconds", min(STREAM_SECONDS, bench.seconds),
        "--cpu", CPU, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    programs = attached(hit.cgroup)
    if process.stdout.readline().strip() != "connected":
        raise Void("the stream did not connect")
    before = Counts.read(programs)
    print("go", file=process.stdin, flush=True)
    out = json.loads(process.stdout.readline())
    moved = (Counts.read(programs) - before).moved()
    stop(process)
    if not out["received"] or out["received"] != out["sent"]:
        raise Void(f"the stream lost bytes: {out}")
    row.claims.append(Claim("programs run during a stream through the VIP", 0,
                            Spread([sum(moved.values())]), unit="runs"))
    row.proofs.append(f"stream: {out['received'] / 1e6:.0f} MB received; run counts that moved:"
                      f" {moved or 'none'}")


def run(bench):
    row = Row(3, "hook cost, by the kernel's program statistics")
    site = Across(bench.machine)
    with Statistics():
        hit, cases = build(bench, site)
        before = hit.ways()
        figures = interleave(cases, bench.rounds, lambda case: case.measure(bench), bench.say)
        counted = hit.ways() - before
        stream(bench, row, hit)
    report(row, cases, figures, counted)
    return row


def report(row, cases, figures, counted):
    row.add_noise("trivial program", ratio(figures, cases[1].name, cases[0].name, "connect4"))
    lines = [[case.name, f"{spread(figures, case.name, 'connect4'):.0f}",
              f"{spread(figures, case.name, 'all'):.0f}"] for case in cases]
    row.add_table("Program time, ns; the statistics' own cost is in every figure",
                  ["case", "connect4, a run", "all hooks, an operation"], lines)
    row.add_plot("hooks", "program time in connect4", "ns a run",
                 [(case.name, spread(figures, case.name, "connect4")) for case in cases])

    def seen(name, key="connect4"):
        return spread(figures, name, key)
    row.claims += [
        Claim("miss", 130, seen("miss, UDP socket again"), "ns"),
        Claim("warm hit, connected UDP", 300, seen("warm hit, UDP socket again"), "ns"),
        Claim("warm hit, reused TCP socket", 300, seen("warm hit, TCP socket again"), "ns"),
        Claim("fresh TCP, connect4", 650, seen("hit, fresh TCP socket"), "ns"),
        Claim("fresh TCP, all hooks", 1600, seen("hit, fresh TCP socket", "all"), "ns")]
    row.notes.append(f"of a fresh socket's time the kernel's storage of its record takes"
                     f" {seen(STORAGE).median - seen(cases[2].name).median:.0f} ns on this machine,"
                     " whichever program asks for it")
    runs = sum(values["calls"] for values in figures["hit, fresh TCP socket"])
    row.proofs.append(f"every case: connect4 ran exactly once a connect() ({runs} times for fresh"
                      f" TCP in the rounds that count); junctor's own counters moved by"
                      f" {counted:.0f}")
