# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Row 19: how fast the sockets of a backend that was removed are ended, and only they.

20 client namespaces hold 10,000 TCP connections and 10,000 connected UDP sockets to one backend of
a service, and 100,000 others: to the service's second backend, to another service whose backend is
the very same server, to that server without a service, and to a third service. The backend is
removed; every socket's owner says when it was told, and at the end each of the others must still
get an answer. Absolute figures, so there is no A/A.
"""

import json
import subprocess
import time

import objects
from daemon import Junctord
from harness import Claim, Spread, Void, percentile, spread
from machine import Broken
from places import Across
from report import Row

NAMESPACES = 20
COUNT = 500  # sockets of a namespace, of a protocol, to each target (twice as many to the service)
DOOMED = NAMESPACES * COUNT  # of each protocol
OTHERS = 5 * DOOMED  # of each protocol
SERVERS = 5  # a process may have 20,000 descriptors
DRAIN_SECONDS = 2
GRACE_SECONDS = 2  # after the last deadline, before the owners are asked
ENDED = "junctor_sockets_ended_total"


def service(name, vip, backends):
    """A service over TCP and UDP, as it is declared."""
    ports = [{"name": protocol.lower(), "port": objects.SERVICE_PORT, "protocol": protocol,
              "targetPort": objects.TARGET_PORT} for protocol in ("TCP", "UDP")]
    return {"apiVersion": "junctor.dev/v1alpha1", "kind": "LocalService",
            "metadata": {"name": name, "namespace": objects.NAMESPACE},
            "spec": {"addresses": [vip], "ports": ports,
                     "backends": [{"address": address} for address in backends]}}


def policy(name):
    """Both backends in turn, so exactly half of the sockets lead to each."""
    return {"apiVersion": "junctor.dev/v1alpha1", "kind": "TrafficPolicy",
            "metadata": {"name": name, "namespace": objects.NAMESPACE},
            "spec": {"targetRef": {"kind": "LocalService", "name": name},
                     "algorithm": "RoundRobin", "drainSeconds": DRAIN_SECONDS}}


class Herd:
    """herd.c's processes: it is asked something, and all answers are awaited."""

    def __init__(self, bench, arguments):
        self.processes = [bench.machine.start(
            bench.program("herd"), *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1) for words in arguments]

    def answers(self):
        lines = [process.stdout.readline() for process in self.processes]
        if not all(lines):
            raise Broken("a holder of sockets ended: see its message above")
        return [json.loads(line) for line in lines]

    def ask(self, word):
        for process in self.processes:
            print(word, file=process.stdin, flush=True)
        return self.answers()


class Site:
    """The services, the servers, and the namespaces that hold the sockets."""

    def __init__(self, bench):
        place = Across(bench.machine)
        plan = place.plan
        self.doomed, self.second, third = (plan.server(number) for number in range(3))
        self.vips = [plan.vip(number) for number in range(3)]
        spaces = [place.client(f"holder-{number}") for number in range(NAMESPACES)]
        self.junctord = Junctord(bench.machine, bench.junctord, "junctor", place.servers)
        self.apply(policy("leaving"), self.leaving([self.doomed, self.second]),
                   service("sharing", self.vips[1], [self.doomed]),
                   service("staying", self.vips[2], [third]))
        servers = ",".join(f"{address}:{objects.TARGET_PORT}"
                           for address in (self.doomed, self.second, third))
        away = bench.machine.cgroup("servers")
        Herd(bench, [["--serve", "--cgroup", away, "--netns", place.servers.path,
                      "--listen", servers, *([] if number else ["--udp"])]
                     for number in range(SERVERS)]).answers()
        vip, sharing, staying = (f"{address}:{objects.SERVICE_PORT}" for address in self.vips)
        direct = f"{self.doomed}:{objects.TARGET_PORT}"
        self.holders = Herd(bench, [
            ["--cgroup", self.junctord.cgroup, "--netns", space.path, "--leaving", vip,
             "--others", f"{sharing},{direct},{staying},{staying}", "--doomed", direct,
             "--count", COUNT] for space in spaces])

    def leaving(self, backends):
        return service("leaving", self.vips[0], backends)

    def apply(self, *documents):
        body = "\n".join(json.dumps(document) for document in documents)
        return self.junctord.apply(body.encode())

    def ended(self):
        """Sockets that junctord says it ended."""
        text = self.junctord.request("GET", "/metrics")[1].decode()
        return sum(int(line.split()[-1]) for line in text.splitlines() if line.startswith(ENDED))

    def measure(self):
        """One removal: seconds until the owners were told, from the start of the request."""
        self.apply(self.leaving([self.doomed, self.second]))
        opened = total(self.holders.ask("open"))
        if (opened["tcp"], opened["udp"], opened["other_tcp"], opened["other_udp"]) != \
                (DOOMED, DOOMED, OTHERS, OTHERS):
            raise Void(f"the sockets are not where they should be: {opened}")
        before, cpu = self.ended(), self.junctord.cpu_seconds()
        start = time.monotonic_ns()
        self.apply(self.leaving([self.second]))
        time.sleep(DRAIN_SECONDS + GRACE_SECONDS)
        out = total(self.holders.ask("report"))
        out["cpu_ms"] = (self.junctord.cpu_seconds() - cpu) * 1000
        for kind, drain in (("tcp", DRAIN_SECONDS), ("udp", 0)):
            out[kind] = [(ns - start) / 1e9 - drain for ns in out[kind]]
        told = len(out["tcp"]) + len(out["udp"])
        out["counted"] = self.ended() - before
        if not told or out["counted"] < told:
            raise Void(f"{told} sockets were ended, but junctord counted {out['counted']}")
        return out


def total(answers):
    """The sum, or the concatenation, of what several processes say."""
    return {key: sum((answer[key] for answer in answers),
                     [] if isinstance(answers[0][key], list) else 0) for key in answers[0]}


def run(bench):
    row = Row(19, "ending stale sockets")
    site = Site(bench)
    rounds = []
    for number in range(bench.rounds + 1):
        out = site.measure()
        bench.say(f"round {number} of {bench.rounds}{'' if number else ' (thrown away)'}:"
                  f" {len(out['tcp'])} TCP, {len(out['udp'])} UDP ended, {out['touched']} others")
        rounds += [out] if number else []
    report(row, rounds)
    return row


def report(row, rounds):
    lines = []
    for kind, since in (("udp", "the start of the request"),
                        ("tcp", f"{DRAIN_SECONDS} s (drainSeconds) after it")):
        seconds = [one for out in rounds for one in out[kind]]
        by_round = Spread([percentile(out[kind], 0.99) if out[kind] else DRAIN_SECONDS
                           for out in rounds])
        if seconds:
            lines.append([f"{kind.upper()}, from {since}", len(seconds),
                          f"{percentile(seconds, 0.5):.3f}", f"{percentile(seconds, 0.99):.3f}",
                          f"{max(seconds):.3f}", f"{by_round}"])
        row.claims.append(Claim(f"{kind.upper()}, p99 of a round, from {since}", 1, by_round, "s"))
    row.add_table(f"{DOOMED} TCP and {DOOMED} UDP sockets of a removed backend in {NAMESPACES}"
                  f" namespaces, {2 * OTHERS} others beside them; seconds until their owners were"
                  " told", ["sockets", "ended", "p50", "p99", "worst", "p99 of a round"], lines)
    figures = {"all": rounds}
    early = sum(one < 0 for out in rounds for one in out["tcp"])
    for what, seen in (("not ended at all", [out["left"] for out in rounds]),
                       ("TCP connections ended before their deadline", [early]),
                       ("others that were touched", [out["touched"] for out in rounds]),
                       ("others that do not answer afterwards",
                        [2 * OTHERS - out["alive"] for out in rounds]),
                       ("told otherwise than by ECONNABORTED",
                        [out["unnamed"] for out in rounds])):
        row.claims.append(Claim(what, 0, Spread([max(seen)]), "sockets"))
    row.notes.append("CPU time of junctord, a removal, ms: "
                     f"{spread(figures, 'all', 'cpu_ms'):.0f}")
    row.proofs.append(f"junctord counted {sum(out['counted'] for out in rounds)} ended sockets, the"
                      f" owners {sum(len(out['tcp'] + out['udp']) for out in rounds)}; each had"
                      " named its backend before, and each of the others did afterwards")
