# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 17: from nothing to a table that serves, from JSON, against rules of the same table.

junctor is a fresh daemon in every round: its time is that of one POST /v1/apply, from its first
byte to the answer, so it is durable as well. "In the kernel" is the time its loop spent in bpf()
calls, traced in loads of their own; what it writes into mapped tables by plain stores is in the
whole and not in that part. Rules are loaded in one transaction, as kube-proxy's first sync is, and
for nftables in small ones too, which it takes quicker; once each: that takes minutes, and a factor
of 50 is no noise.
"""

import contextlib
import subprocess

import objects
from daemon import Junctord
from harness import Claim, Spread, Void, interleave, ratio, spread
from kernelstats import SystemCalls
from peer import IptablesRules, Junctor, NftRules, NftWhole, iptables_variant
from places import Across
from report import Row

SHAPES = ((10000, 10), (5000, 50), (1000, 250))
LARGEST = (50000, 10)
RULES = (NftWhole, NftRules, IptablesRules)
PROOF_SECONDS = 0.05
AGAIN, TRACED = ", again", ", bpf() traced"


def title(shape):
    return f"{shape[0]} x {shape[1]}"


class Load:
    """A fresh junctord that is told a whole table."""

    def __init__(self, bench, site, client, shape, trait=""):
        self.name, self.trait = title(shape) + trait, trait
        self.bench, self.site, self.client = bench, site, client
        self.shape = shape
        self.services = objects.table(*shape, site.plan)
        self.body = objects.json_lines(self.services)

    def measure(self):
        junctord = Junctord(self.bench.machine, self.bench.junctord, "cold", self.client)
        calls = (SystemCalls(self.bench.machine, junctord.process.pid)
                 if self.trait == TRACED else contextlib.nullcontext())
        with calls:
            seconds, answer = junctord.apply(self.body)
            count, inside = calls.total() if self.trait == TRACED else (0, 0.0)
        out = {"seconds": seconds, "programmed": answer["programmedMicros"] / 1e6,
               "calls": count, "inside": inside, "peak": junctord.memory()["peak"] / 1e6}
        self.prove(junctord)
        junctord.stop()
        return out

    def prove(self, junctord):
        used = junctord.usage()
        services, endpoints = self.shape[0], self.shape[0] * self.shape[1]
        if (used["services"], used["endpoints"]) != (services, endpoints):
            raise Void(f"{self.name}: the kernel holds {used}")
        Junctor(self.name, self.site, self.client, junctord, self.services).connect(
            self.bench.program("connloop"), PROOF_SECONDS)


class Rules:
    """The seconds that one load takes, or the limit it did not keep."""

    def __init__(self, bench, site, away, kind, shape):
        services = objects.table(*shape, site.plan)
        client = site.client(f"{kind.kind}-{shape[0]}", has_rules=True)
        peer = kind(kind.kind, site, client, away, services)
        self.is_given_up = False
        try:
            self.seconds = peer.load(services, bench.machine.scratch, bench.load_limit)
            peer.connect(bench.program("connloop"), PROOF_SECONDS)
        except subprocess.TimeoutExpired:
            self.seconds, self.is_given_up = bench.load_limit, True
        self.text = f"{'> ' if self.is_given_up else ''}{self.seconds:.1f} s"
        bench.say(f"{kind.kind}, {title(shape)}: {self.text}")
        bench.machine.remove_namespace(client)


def run(bench):
    row = Row(17, "cold load from JSON")
    site = Across(bench.machine)
    away = bench.machine.cgroup("away")
    plain = site.client("plain")
    loads = [Load(bench, site, plain, shape) for shape in (*SHAPES, LARGEST)]
    loads += [Load(bench, site, plain, SHAPES[0], trait) for trait in (AGAIN, TRACED)]
    figures = interleave(loads, bench.rounds, lambda load: load.measure(), bench.say)
    rules = {shape: [Rules(bench, site, away, kind, shape) for kind in RULES] for shape in SHAPES}
    report(row, loads, figures, rules)
    return row


def over_nft(name, loads, nft):
    """Against nftables at once. Given up, its time is a lower bound: good for a yes, not for a no."""
    limit = 0.02
    over = Spread([values["seconds"] / nft.seconds for values in loads])
    is_known = not nft.is_given_up or over.high <= limit
    return Claim(f"junctor / nftables at once, {name}", limit, over if is_known else None,
                 note="nftables was given up" if nft.is_given_up else "")


def report(row, loads, figures, rules):
    first = title(SHAPES[0])
    row.add_noise(f"seconds, {first}", ratio(figures, first + AGAIN, first, "seconds"))
    lines = []
    for load in loads:
        beside = [one.text for one in rules.get(load.shape, [])] if not load.trait else []
        lines.append([load.name, f"{len(load.body) / 1e6:.1f}",
                      f"{spread(figures, load.name, 'seconds')}",
                      f"{spread(figures, load.name, 'programmed').median:.3f}",
                      f"{spread(figures, load.name, 'peak').median:.0f}",
                      *(beside or ["-"] * len(RULES))])
    row.add_table("One request to an empty junctord; rules into an empty namespace",
                  ["services x endpoints", "JSON, MB", "junctor, s, end to end",
                   "of it after the last byte", "peak RSS, MB", "nftables at once",
                   "nftables in parts", "iptables"], lines)
    row.add_plot("load", "cold load of junctor", "seconds, end to end",
                 [(load.name, spread(figures, load.name, "seconds")) for load in loads])
    row.claims += [
        Claim(f"{first}, end to end", 1, spread(figures, first, "seconds"), "s"),
        Claim(f"{first}, in bpf()", 0.1, spread(figures, first + TRACED, "inside"), "s")]
    row.claims += [over_nft(title(shape), figures[title(shape)], rules[shape][0])
                   for shape in SHAPES]
    row.proofs.append("after every load: the tables hold every service and endpoint, and the last"
                      " ten services were connected to, counted on their path; bpf() calls for"
                      f" {first}: {spread(figures, first + TRACED, 'calls').median:.0f}")
    row.notes.append(f"rules are rule-equivalent (rules.py), {iptables_variant()}, loaded once"
                     " each; kube-proxy loads nftables at once")
