# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""HTTP over L4 (rows 8 and 9): the backend, the proxies, wrk, and what they cost together.

Each peer has a client namespace of its own, so that nobody meets another's ports in TIME_WAIT, and
proxies run in it, beside their client: the shortest way to one. One nginx is the backend of all.
CPU time is that of the cgroups of client, proxy and backend in a run. Configurations: conf/.
"""

import json
import os
import shutil
import socket
import string
import time

import objects
from daemon import Junctord, UnixConnection
from harness import Void, interleave, ratio, spread
from machine import Broken
from peer import CPU, Direct, Junctor, NftRules, Peer

SERVICES = 10
AGAIN = "direct again"
PROXIES = ("haproxy", "nginx")
KEY = "cpu_us"  # headline: CPU time of client, proxy and backend, a request
CONF = f"{os.path.dirname(os.path.abspath(__file__))}/conf"
FIRST_PORT = 9000  # of a proxy's listeners
SIZES = (200, 16384)
START_SECONDS = 10


class Load:
    """What wrk is told: how many connections, which size of reply, and whether they are kept."""

    def __init__(self, connections, size, is_kept=True, is_pinned=True):
        self.connections, self.size, self.is_kept = connections, size, is_kept
        self.is_pinned = is_pinned
        self.cpus = [CPU] if is_pinned else range(os.cpu_count())
        self.name = (f"c={connections}, {size} B{'' if is_kept else ', Connection: close'}"
                     f"{'' if is_pinned else ', unpinned'}")

    def arguments(self):
        return ["-t", 1, "-c", self.connections, *([] if self.is_kept else
                                                   ["-H", "Connection: close"])]


def usage_us(cgroup):
    """CPU time of all that ever ran in a cgroup."""
    with open(f"{cgroup}/cpu.stat", encoding="ascii") as lines:
        return int(next(line for line in lines if line.startswith("usage_usec")).split()[1])


def write_conf(path, name, words, services=()):
    """A file of conf/, its $words filled in, its part after "each:" once a service."""
    with open(f"{CONF}/{name}", encoding="utf-8") as lines:
        head, _, block = lines.read().partition("each:\n")
    each = "".join(string.Template(block).substitute(
        words, name=service.name, listen=FIRST_PORT + place,
        backend=f"{service.endpoints[0]}:{objects.TARGET_PORT}")
        for place, service in enumerate(services))
    with open(path, "w", encoding="utf-8") as out:
        out.write(string.Template(head).substitute(words, each=each))
    return path


class Server:
    """nginx or HAProxy, in a namespace and a cgroup of its own."""

    def __init__(self, machine, name, namespace):
        self.machine, self.namespace = machine, namespace
        self.folder = machine.folder(name)
        self.status = f"{self.folder}/status"
        self.cgroup = machine.cgroup(name)

    def start(self, *command):
        with open(f"{self.folder}/log", "w", encoding="utf-8") as log:
            self.machine.start(*inside(self.namespace, self.cgroup, *command), stdout=log,
                               stderr=log)
        end = time.monotonic() + START_SECONDS
        while not os.path.exists(self.status):
            if time.monotonic() > end:
                with open(f"{self.folder}/log", encoding="utf-8") as log:
                    raise Broken(f"{command[0]} does not start: {log.read()[-600:].strip()}")
            time.sleep(0.02)

    def place(self, cpus):
        """Lets its processes run on these CPUs only."""
        with open(f"{self.cgroup}/cgroup.procs", encoding="ascii") as lines:
            for line in lines:
                os.sched_setaffinity(int(line), cpus)


def inside(namespace, cgroup, *command):
    """A command line that moves to a cgroup and a namespace first."""
    return ["sh", "-c", 'echo 0 >"$0/cgroup.procs" && exec "$@"', cgroup,
            "nsenter", f"--net={namespace.path}", *command]


class Nginx(Server):
    def start_with(self, conf, services=()):
        self.start("nginx", "-e", "stderr", "-c", write_conf(
            f"{self.folder}/nginx.conf", conf,
            {"folder": self.folder, "port": objects.TARGET_PORT}, services))

    def counts(self):
        """(connections accepted, requests) of the worker, this question included."""
        connection = UnixConnection(self.status, START_SECONDS)
        try:
            connection.request("GET", "/")
            words = connection.getresponse().read().split()
        finally:
            connection.close()
        return int(words[7]), int(words[9])

    def accepted(self):
        return self.counts()[0]


class Haproxy(Server):
    def start_with(self, conf, services):
        self.start("haproxy", "-db", "-f", write_conf(
            f"{self.folder}/haproxy.cfg", conf, {"folder": self.folder}, services))

    def accepted(self):
        """Connections ever accepted, this question included."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.connect(self.status)
            link.sendall(b"show info\n")
            answer = b"".join(iter(lambda: link.recv(65536), b"")).decode()
        return int(next(line for line in answer.splitlines()
                        if line.startswith("CumConns:")).split()[1])


class Proxied(Peer):
    """Through a proxy beside the client; the proxy's own statistics count."""

    def __init__(self, name, site, client, cgroup, server):
        super().__init__(name, site, client, cgroup,
                         [f"127.0.0.1:{FIRST_PORT + place}" for place in range(SERVICES)])
        self.server = server

    def ways(self):
        return self.server.accepted()


def needed():
    for name, package in (("wrk", "wrk"), ("haproxy", "haproxy"), ("nginx", "nginx-light")):
        if not shutil.which(name):
            raise Broken(f"{name} is missing: apt-get install {package}")
    if not os.path.exists("/usr/lib/nginx/modules/ngx_stream_module.so"):
        raise Broken("nginx has no stream module: apt-get install libnginx-mod-stream")


class Site:
    """The backend and the peers."""

    def __init__(self, bench, place):
        needed()
        self.machine, self.place = bench.machine, place
        self.services = objects.table(SERVICES, 1, place.plan)
        self.turn = 0
        plain = place.client("junctor")
        junctord = Junctord(self.machine, bench.junctord, "junctor", plain)
        junctord.apply(objects.json_lines(self.services))
        beside = place.client("nft", has_rules=True)
        nft = NftRules("nftables", place, beside, self.machine.cgroup("nft"), self.services)
        nft.load(self.services, self.machine.scratch)
        self.backend = self.make_backend(place.server(plain))
        self.peers = [self.direct("direct"), self.direct(AGAIN),
                      Junctor("junctor", place, plain, junctord, self.services), nft,
                      self.proxied("haproxy", Haproxy, "proxy-haproxy.cfg"),
                      self.proxied("nginx", Nginx, "proxy-nginx.conf")]

    def make_backend(self, namespace):
        backend = Nginx(self.machine, "backend", namespace)
        os.makedirs(f"{backend.folder}/files")
        for size in SIZES:
            with open(f"{backend.folder}/files/{size}", "w", encoding="ascii") as out:
                out.write("x" * size)
        backend.start_with("backend-nginx.conf")
        return backend

    def direct(self, name):
        key = name.replace(" ", "-")
        return Direct(name, self.place, self.place.client(key), self.machine.cgroup(key),
                      self.services)

    def proxied(self, name, kind, conf):
        client = self.place.client(name)
        server = kind(self.machine, f"proxy-{name}", client)
        server.start_with(conf, self.services)
        return Proxied(name, self.place, client, self.machine.cgroup(f"client-{name}"), server)

    def servers(self, peer):
        return [self.backend, *([peer.server] if isinstance(peer, Proxied) else [])]

    def wrk(self, bench, peer, load):
        """One run of wrk against one of the services, as wrk says itself."""
        target = peer.targets[self.turn % SERVICES]
        for server in self.servers(peer):
            server.place(load.cpus)
        said = peer.client.run(*inside(
            peer.client, peer.cgroup, "taskset", "-c", ",".join(map(str, load.cpus)), "wrk",
            *load.arguments(), "-d", max(1, round(bench.seconds)), "-s", f"{CONF}/wrk.lua",
            f"http://{target}/{load.size}"))
        return json.loads(said.splitlines()[-1])

    def run(self, bench, load, peer):
        """One run, with its CPU time and the proof of its path."""
        ways, served = peer.ways(), self.backend.counts()[1]
        cgroups = [peer.cgroup, *(server.cgroup for server in self.servers(peer))]
        before = [usage_us(cgroup) for cgroup in cgroups]
        out = self.wrk(bench, peer, load)
        used = [usage_us(cgroup) - was for cgroup, was in zip(cgroups, before)]
        out["proof"], out["served"] = peer.ways() - ways, self.backend.counts()[1] - served
        out["due"] = load.connections if load.is_kept else out["ops"]
        if out["errors"]:
            raise Void(f"{peer.name}, {load.name}: wrk met {out['errors']} errors")
        if out["proof"] < out["due"] or out["served"] < out["ops"]:
            raise Void(f"{peer.name}, {load.name}: {out['due']} connections and {out['ops']}"
                       f" requests, but {out['proof']} took its path and {out['served']} were"
                       " served")
        out["cpu_us"] = sum(used) / out["ops"]
        out["client_us"], out["backend_us"] = used[0] / out["ops"], used[1] / out["ops"]
        out["proxy_us"] = sum(used[2:]) / out["ops"]
        out["per_second"] = out["ops"] / out["wall_us"] * 1e6
        return out

    def measure(self, bench, load):
        """{peer name: figures of each round}; every round calls another service."""
        def one(peer):
            self.turn += peer is self.peers[0]
            return self.run(bench, load, peer)
        bench.say(load.name)
        figures = interleave(self.peers, bench.rounds, one, bench.say)
        bench.say(f"{load.name}: A/A {floor(figures)}, junctor"
                  f" {ratio(figures, 'junctor', 'direct', KEY)}, of {best(figures)}"
                  f" {ratio(figures, 'junctor', best(figures), KEY)}")
        return figures


def floor(figures):
    return ratio(figures, AGAIN, "direct", KEY)


def best(figures):
    """The proxy that costs least."""
    return min(PROXIES, key=lambda name: spread(figures, name, KEY).median)


def tabulate(row, site, load, figures):
    """One table a load: every peer against direct."""
    lines = []
    for peer in site.peers:
        seen = figures[peer.name]
        parts = [f"{spread(figures, peer.name, part).median:.1f}"
                 for part in ("client_us", "proxy_us", "backend_us")]
        lines.append([peer.name, f"{spread(figures, peer.name, KEY):.2f}", *parts,
                      f"{ratio(figures, peer.name, 'direct', KEY)}",
                      f"{spread(figures, peer.name, 'per_second').median:.0f}",
                      f"{spread(figures, peer.name, 'p50_us').median:.0f}",
                      f"{spread(figures, peer.name, 'p99_us').median:.0f}"])
        row.proofs.append(f"{load.name}, {peer.name}: {sum(v['proof'] for v in seen)} connections"
                          f" counted on its path of {sum(v['due'] for v in seen)} expected,"
                          f" {sum(v['served'] for v in seen)} requests served,"
                          f" {sum(v['ops'] for v in seen)} measured")
    row.add_noise(f"CPU time, {load.name}", floor(figures))
    row.add_table(load.name, ["peer", "CPU-us a request", "client", "proxy", "backend",
                              "CPU: times direct", "requests/s", "p50 us", "p99 us"], lines)


NOTES = (f"client, proxy and backend share CPU {CPU} where nothing else is said; CPU time is that"
         " of their cgroups, so softirqs that ran in their place are in it",
         "nftables is rule-equivalent (rules.py); proxies run beside their client, configurations"
         " in test/bench/conf")
