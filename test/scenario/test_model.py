# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Random operations, kills and restarts against a plain reference model: objects of all kinds.

  one node (lib/node.py)
  VIPs      five of 127.96.0.0/16, 10.96.0.0/16 and fd00:96::/64; ports 80, 81, 90
  backends  127.0.0.1, 127.0.0.2, 10.1.0.1, fd00:1::1, ports 8081 and 8082, TCP and UDP: each says
            its own address (lib/name_servers.py)

Each answer is compared; every few steps the listed objects, the tables as dump_tables reads them,
and who really answers: RoundRobin exactly, Random and LeastConnections with chi-square p > 0.001 in
one of three samples each time, and over all samples of a seed together. Other algorithms never leave
the set; a Service's sessionAffinity keeps to one of it.

  SEED=17 make test PYTEST="-k model"    that seed again
  SOAK=1                                 200 seeds of 5,000 steps; MINUTES= ends it sooner
"""

import errno
import os
import random
import socket
import time

import pytest

from lib import reference
from lib.clients import family_of
from lib.history import GROUPS, HOSTS, PORTS, VIPS, History, path_of
from lib.name_servers import NameServers

SOAK = bool(os.environ.get("SOAK"))
SEEDS, STEPS = (200, 5000) if SOAK else (2, 1500)
SECONDS = 60 * float(os.environ.get("MINUTES") or 600)
LISTED, PICKED, ENDED = 10, 25, 40  # steps between two looks, and (about) between two ends
CONNECTS = 150  # in one sample; enough for every share that weights of 1 to 5 give
FEW = 10  # where the algorithm asks more than weights
PATIENCE = 3  # samples that must all be improbable; the second and third are larger


def as_answered(shares):
    """A backend that is nobody's VIP any more, or not yet, is still in a blackhole: EINVAL."""
    return {"EINVAL" if any(name == reference.endpoint(vip, 80) for vip in VIPS) else name: share
            for name, share in shares.items()}


class Check:
    """One seed: a history, the junctord it happens to, and the comparisons."""

    def __init__(self, node, seed):
        self.node, self.seed = node, seed
        self.chance = random.Random(seed)
        self.history = History(self.chance)
        self.step, self.last = 0, None
        self.distance, self.freedom = 0.0, 0  # of all samples together

    def fail(self, sentence):
        raise AssertionError(f"seed {self.seed}, step {self.step}: {sentence} (last: {self.last}); "
                             f"SEED={self.seed} repeats it")

    # --- comparisons ------------------------------------------------------------------------------
    def check_tables(self):
        said = reference.differences(reference.served(self.history.state), self.node.tables())
        if said:
            self.fail(said)
        verified = self.node.control.get("/v1/verify").json
        if verified["found"]:
            self.fail(f"junctord sees a drift where there is none: {verified['drifts']}")

    def check_lists(self):
        found, versions = {}, {}
        for plural, group in GROUPS.items():
            for one in self.node.control.get(f"{group}/{plural}").json["items"]:
                key = reference.key_of(one)
                found[key], versions[key] = one, int(one["metadata"]["resourceVersion"])
        if not reference.is_listed(self.history.state, found) or versions != self.history.versions:
            self.fail(f"listed is {found} {versions}, declared was {self.history.state} "
                      f"{self.history.versions}")
        status = self.node.control.status()
        if (status["generation"], status["synced"], status["degraded"]) != \
                (self.history.generation, True, []):
            self.fail(f"generation should be {self.history.generation}: {status}")

    def ask(self, vip, protocol):
        """Who answers, or the errno of connect()."""
        host, _, port = vip.rpartition(":")
        host = host.strip("[]")
        kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
        with self.node.open_socket(family_of(host), kind) as client:
            code = client.connect_ex((host, int(port)))
            if code:
                return errno.errorcode[code]
            if protocol == "UDP":
                client.send(b"?")
            return client.recv(64).decode()

    def count(self, name, times):
        counts = {}
        for _ in range(times):
            who = self.ask(*name)
            counts[who] = counts.get(who, 0) + 1
        return counts

    def check_picks(self):
        served = reference.served(self.history.state)
        if not served:
            return
        # Most have no policy: every algorithm is asked as often.
        algorithm = self.chance.choice(sorted({row["algorithm"] for row in served.values()}))
        name = self.chance.choice(sorted(name for name, row in served.items()
                                         if row["algorithm"] == algorithm))
        row, shares = served[name], as_answered(served[name]["shares"])
        if not shares:
            if self.ask(*name) != row["refusal"]:
                self.fail(f"{name} has no backend and answers {self.ask(*name)}")
        elif row["stays"]:
            counts = self.count(name, FEW)
            if len(counts) > 1 or not counts.keys() <= shares.keys():
                self.fail(f"{name} should stay at one of {shares}: {counts}")
        elif row["algorithm"] == reference.ALGORITHMS["RoundRobin"]:
            turns = reference.cycle(shares)
            counts = self.count(name, turns)
            if counts != {one: round(share * turns) for one, share in shares.items()}:
                self.fail(f"{turns} turns of {name} went to {counts}, not {shares}")
        elif row["algorithm"] == reference.ALGORITHMS["Random"]:
            self.check_random(name, shares)
        elif row["algorithm"] == reference.ALGORITHMS["LeastConnections"]:
            self.check_random(name, reference.better_of_two(shares))
        elif not self.count(name, FEW).keys() <= shares.keys():
            self.fail(f"{name} went beyond {shares}")

    def check_random(self, name, shares):
        for turn in range(PATIENCE):
            counts = self.count(name, CONNECTS * (turn + 1))
            if counts.keys() - shares.keys():
                self.fail(f"{name} went to {counts}, not {shares}")
            distance, freedom = reference.chi_square(counts, shares)
            if not turn:
                self.distance, self.freedom = self.distance + distance, self.freedom + freedom
            if reference.probability(distance, freedom) > 0.001:
                return
        self.fail(f"{name} went to {counts}, not {shares}")

    # --- steps ------------------------------------------------------------------------------------
    def judge(self, operation, answer):
        if answer.status not in operation.statuses:
            self.fail(f"answered {answer}")
        if answer.status >= 400:
            return
        self.history.accept(operation)
        if operation.results is not None:
            found = [one["result"] for one in answer.json["results"]]
            if found != operation.results:
                self.fail(f"results are {found}, not {operation.results}")

    def request(self):
        self.last = operation = self.history.next()
        self.judge(operation, self.node.control.request(operation.method, operation.target,
                                                        operation.body))

    def kill_in_the_middle(self):
        """SIGKILL at some moment of a write: all of it, or nothing; what was answered stays."""
        self.last = operation = self.history.next()
        old = reference.served(self.history.state)
        with self.node.control.begin(operation.method, operation.target, operation.body) as answer:
            time.sleep(self.chance.random() * 0.006)
            self.node.junctord.kill()
            status = answer()
        new = old if operation.after is None else reference.served(operation.after)
        for name, row in self.node.tables().items():
            if not any(name in view and reference.is_same(view[name], row) for view in (old, new)):
                self.fail(f"while junctord is down {name} is {row}: neither old nor new")
        self.node.junctord.start()
        generation = self.node.control.status()["generation"]
        if status and status not in operation.statuses:
            self.fail(f"answered {status}")
        if generation != self.history.generation:
            self.history.accept(operation)
        elif status and status < 400 and operation.after not in (None, self.history.state):
            self.fail("acknowledged and lost")

    def end(self):
        """One of three ends of junctord."""
        how = self.chance.randrange(3)
        if how == 0 and self.node.junctord.terminate():
            self.fail("SIGTERM did not end it well")
        if how == 1:
            self.node.junctord.kill()
        if how == 2:
            self.kill_in_the_middle()
        else:
            self.node.junctord.start()
        self.check_lists()
        self.check_tables()

    def run(self, steps, until):
        for self.step in range(1, steps + 1):
            if time.monotonic() > until:
                break
            if self.chance.randrange(ENDED) == 0:
                self.end()
            else:
                self.request()
            if self.step % LISTED == 0:
                self.check_lists()
                self.check_tables()
            if self.step % PICKED == 0:
                self.check_picks()
        self.clean()
        return self.step

    def clean(self):
        """Everything is deleted, and nothing is served."""
        for key in sorted(self.history.state):
            answer = self.node.control.delete(path_of(key))
            if answer.status != 200:
                self.fail(f"cannot delete {key}: {answer}")
        if self.node.tables():
            self.fail("something is served after everything was deleted")
        if reference.probability(self.distance, self.freedom) < 1e-6:
            self.fail(f"all samples together are {self.distance} away in {self.freedom} ways")


@pytest.fixture(scope="module")
def peopled(node):
    NameServers(node, HOSTS, PORTS)
    return node


@pytest.mark.timeout(0)
def test_random_operations_are_those_of_the_model(peopled):
    given = os.environ.get("SEED")
    seeds = [int(given)] if given else range(1, SEEDS + 1)
    until, steps, begun = time.monotonic() + SECONDS, 0, 0
    for seed in seeds:
        if time.monotonic() > until:
            break
        check = Check(peopled, seed)
        check.history.generation = peopled.control.status()["generation"]
        steps += check.run(STEPS, until)
        begun += 1
    print(f"\nmodel check: {begun} seeds, {steps} steps")
