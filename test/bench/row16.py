# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 16: how long a change takes until a new connection follows it, by table size.

Beside the table stands one service more, with one endpoint, which is exchanged for another and
back again (flip.c) while a prober connects to it all the time and a load connects to the table's
called services. Every size has its own junctord or its own namespace of rules. A change of
junctor's is on disk before it is seen, but where it comes from a file: that is the copy on disk, and
is renamed to its name in the watched folder. Rules are kept nowhere.
"""

import copy
import json
import os
import subprocess

import objects
from daemon import Junctord
from harness import Claim, Spread, Void, interleave, percentile, ratio, spread
from peer import CPU, IptablesRules, Junctor, NftRules, iptables_variant, vips
from places import Across, place_arguments
from report import Row
from rules import write

ENDPOINTS = 10
SIZES = (10, 1000, 10000, 50000)
RULE_SIZES = (10, 1000, 10000)
FILE_SIZES = (10, 1000, 10000)
IN_FILE = 10  # services a file; the one that flips has a file of its own
FLIP_PORT = 8081  # its servers are flip's own, apart from those of the load
LOAD_CPU, LOAD_RATE = 1, 1000  # connections a second
AGAIN = f"junctor {SIZES[0]} again"


class Flipping:
    """A peer whose last service changes; the other called ones are the load's."""

    def __init__(self, peer, services, arguments):
        self.name, self.peer = peer.name, peer
        peer.targets = vips(services)[:-1]
        self.arguments = ["--vip", vips(services)[-1], *arguments]

    def measure(self, bench):
        before = self.peer.ways()
        load = bench.machine.start(*self.peer.loop_command(
            bench.program("connloop"), "--rate", LOAD_RATE, "--cpu", LOAD_CPU,
            "--seconds", 3600), stdout=subprocess.PIPE)
        where = place_arguments(self.peer.site, self.peer.client, self.peer.cgroup)
        out = json.loads(self.peer.client.run(
            bench.program("flip"), *where, "--seconds", bench.seconds, "--cpu", CPU,
            *self.arguments))
        load.terminate()
        loaded = json.loads(load.communicate()[0])
        made = out["probes"] + loaded["ops"] + loaded["warm_up"]
        counted = self.peer.ways() - before
        if counted < made:
            raise Void(f"{self.name}: {made} connections, but {counted} took its path")
        seen = [ns / 1e6 for ns in out["seen_ns"]]
        return {"seen": seen, "p50": percentile(seen, 0.5), "p99": percentile(seen, 0.99),
                "answered": percentile(out["answered_ns"], 0.5) / 1e6, "stale": out["stale"],
                "proof": counted, "made": made}


def flipped(size, plan):
    """(the table and the service that flips, that service at its second server)."""
    first, second = (objects.Service("flip", plan.vip(size), [plan.server(number)], True)
                     for number in (1000, 1001))
    first.target_port = second.target_port = FLIP_PORT
    return objects.table(size, ENDPOINTS, plan) + [first], second


def servers(first, second):
    return ["--first", f"{first.endpoints[0]}:{FLIP_PORT}",
            "--second", f"{second.endpoints[0]}:{FLIP_PORT}"]


def put(service):
    """A whole request, to the byte."""
    body = json.dumps(service.document(), separators=(",", ":"))
    yield (f"PUT /apis/junctor.dev/v1alpha1/namespaces/{objects.NAMESPACE}/localservices/"
           f"{service.name} HTTP/1.1\r\nHost: junctor\r\nConnection: close\r\n"
           f"Content-Length: {len(body)}\r\n\r\n{body}")


def requests(bench, name, texts):
    arguments = []
    for which, text in zip(("first", "second"), texts):
        path = write(f"{bench.machine.scratch}/{name.replace(' ', '-')}-{which}", text)
        arguments += [f"--{which}-request", path]
    return arguments


def build_junctor(bench, site, client, size):
    name = f"junctor {size}"
    services, second = flipped(size, site.plan)
    junctord = Junctord(bench.machine, bench.junctord, f"junctor-{size}", client)
    junctord.apply(objects.json_lines(services))
    bench.say(f"{name} services: loaded")
    return Flipping(Junctor(name, site, client, junctord, services), services, [
        *servers(services[-1], second), "--socket", junctord.socket,
        *requests(bench, name, [put(services[-1]), put(second)])])


def fill(folder, services):
    """The services in files, each file whole before it has its name."""
    os.makedirs(folder)
    for start in range(0, len(services), IN_FILE):
        path = f"{folder}/table-{start // IN_FILE:04d}.json"
        with open(f"{path}.new", "wb") as out:
            out.write(objects.json_lines(services[start:start + IN_FILE]))
        os.rename(f"{path}.new", path)


def build_files(bench, site, client, size):
    name = f"files {size}"
    services, second = flipped(size, site.plan)
    folder = f"{bench.machine.scratch}/services-{size}"
    fill(folder, services[:-1])
    flip = f"{folder}/flip.json"
    texts = [objects.json_lines([one]).decode() for one in (services[-1], second)]
    write(flip, [texts[0]])
    junctord = Junctord(bench.machine, bench.junctord, f"files-{size}", client, folder)
    junctord.await_files()
    bench.say(f"{name} services: loaded")
    return Flipping(Junctor(name, site, client, junctord, services), services, [
        *servers(services[-1], second), "--file", flip, *requests(bench, name, texts)])


def build_rules(bench, site, away, kind, size):
    name = f"{kind.kind} {size}"
    services, second = flipped(size, site.plan)
    client = site.client(f"{kind.kind}-{size}", has_rules=True)
    peer = kind(name, site, client, away, services)
    peer.load(services, bench.machine.scratch)
    bench.say(f"{name} services: loaded")
    changes = [peer.shape.change(services[:-1] + [to], to) for to in (services[-1], second)]
    return Flipping(peer, services, [*servers(services[-1], second),
                                     *requests(bench, name, changes), "--", *peer.command("@")])


def run(bench):
    row = Row(16, "programming latency")
    site = Across(bench.machine)
    away = bench.machine.cgroup("away")
    plain = site.client("plain")
    flippers = [build_junctor(bench, site, plain, size) for size in SIZES]
    flippers += [build_files(bench, site, plain, size) for size in FILE_SIZES]
    flippers += [build_rules(bench, site, away, kind, size)
                 for kind in (NftRules, IptablesRules) for size in RULE_SIZES]
    twin = copy.copy(flippers[0])
    twin.name = AGAIN
    figures = interleave([twin, *flippers], bench.rounds, lambda one: one.measure(bench), bench.say)
    report(row, flippers, figures)
    return row


def report(row, flippers, figures):
    row.add_noise("p50 of a round", ratio(figures, AGAIN, flippers[0].name, "p50"))
    lines, bars = [], []
    for name in (one.name for one in flippers):
        seen = [ms for values in figures[name] for ms in values["seen"]]
        lines.append([name, len(seen), f"{percentile(seen, 0.5):.2f}",
                      f"{percentile(seen, 0.99):.2f}", f"{max(seen):.2f}",
                      f"{spread(figures, name, 'p99'):.2f}",
                      f"{spread(figures, name, 'answered').median:.2f}"])
        bars.append((name, spread(figures, name, "p50")))
        row.proofs.append(f"{name}: {sum(v['proof'] for v in figures[name])} connections counted on"
                          f" its path, {sum(v['made'] for v in figures[name])} made")
    row.add_table(f"one endpoint exchanged beside N services x {ENDPOINTS}, {LOAD_RATE}"
                  " connections/s of load; ms from the last byte of the request (rules: from the"
                  " start of the command) to connect()",
                  ["peer, services", "flips", "p50", "p99", "worst", "p99 of a round",
                   "answered, p50"], lines)
    row.add_plot("seen", "a change until a new connection follows it", "ms, p50 of a round", bars)
    claim(row, flippers, figures)
    row.notes.append(f"rules are rule-equivalent (rules.py), {iptables_variant()}, without"
                     " kube-proxy's own work around them and its 1 s between syncs")


def claim(row, flippers, figures):
    for size in SIZES:
        row.claims.append(Claim(f"p99 of a round, durable, {size} services", 5,
                                spread(figures, f"junctor {size}", "p99"), "ms"))
    for size in FILE_SIZES:
        row.claims.append(Claim(f"p99 of a round, a source that needs no fsync, {size} services", 1,
                                spread(figures, f"files {size}", "p99"), "ms"))
    for key in ("p50", "p99"):
        row.claims.append(Claim(f"{key}, {SIZES[-1]} / {SIZES[0]} services", 1.2,
                                ratio(figures, f"junctor {SIZES[-1]}", f"junctor {SIZES[0]}", key)))
        row.claims.append(Claim(f"{key}, files, {FILE_SIZES[-1]} / {FILE_SIZES[0]} services", 1.2,
                                ratio(figures, f"files {FILE_SIZES[-1]}", f"files {FILE_SIZES[0]}",
                                      key)))
    for size in RULE_SIZES:
        row.claims.append(Claim(f"junctor / nftables, p50, {size} services", 0.05,
                                ratio(figures, f"junctor {size}", f"nftables {size}", "p50")))
    stale = sum(values["stale"] for one in flippers for values in figures[one.name]
                if one.name.startswith(("junctor", "files")))
    row.claims.append(Claim("connections to the old server after one to the new", 0,
                            Spread([stale]), "connections"))
