# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How figures come about: interleaved rounds, ratios of a round, ranges, claims.

Peers take turns (A B C A B C) and the first round is thrown away, so that what the machine does
meanwhile hits all of them. A ratio compares two peers within one round; its median and the range
from 25 to 75 % are what is reported. Knows nothing of junctor, sockets or files.
"""

import statistics


class Void(Exception):
    """A figure without its proof: the run does not count."""


class Spread:
    """Median and 25-75 % range of some values."""

    def __init__(self, values):
        values = sorted(values)
        self.count = len(values)
        self.median = statistics.median(values)
        self.low, self.high = self.quantile(values, 0.25), self.quantile(values, 0.75)

    @staticmethod
    def quantile(values, share):
        place = share * (len(values) - 1)
        below = int(place)
        above = min(below + 1, len(values) - 1)
        return values[below] + (values[above] - values[below]) * (place - below)

    def as_json(self):
        return {"median": self.median, "low": self.low, "high": self.high, "count": self.count}

    def __format__(self, form):
        form = form or ".3f"
        return f"{self.median:{form}} ({self.low:{form}}-{self.high:{form}})"


def interleave(peers, rounds, measure, say=lambda text: None):
    """{name: [figures of a round, …]}; measure(peer) gives one round's figures as a dict."""
    figures = {peer.name: [] for peer in peers}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" + (" (thrown away)" if not number else ""))
        for peer in peers:
            values = measure(peer)
            if number:
                figures[peer.name].append(values)
    return figures


def ratios(figures, peer, base, key):
    """The ratio of each round, peer over base."""
    return [mine[key] / theirs[key] for mine, theirs in zip(figures[peer], figures[base])]


def ratio(figures, peer, base, key):
    return Spread(ratios(figures, peer, base, key))


def spread(figures, peer, key):
    return Spread([values[key] for values in figures[peer]])


def percentile(values, share):
    values = sorted(values)
    return values[min(int(share * len(values)), len(values) - 1)]


class Claim:
    """A target of the scoreboard and what was seen. It holds only with its whole range."""

    def __init__(self, text, limit, seen, unit="x", note=""):
        self.text, self.limit, self.seen, self.unit, self.note = text, limit, seen, unit, note

    @property
    def verdict(self):
        if self.seen is None:
            return "not measured"
        if self.seen.high <= self.limit:
            return "holds"
        return "missed" if self.seen.low > self.limit else "not shown"

    def as_json(self):
        return {"claim": self.text, "limit": self.limit, "unit": self.unit, "note": self.note,
                "seen": self.seen and self.seen.as_json(), "verdict": self.verdict}


def noise_limit(floor):
    """The largest ratio within A/A, in both directions: which of two equals is above is chance."""
    return max(floor.high, 1 / floor.low)
