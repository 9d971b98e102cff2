# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Are connections shared out by weight?"""

CRITICAL = {1: 10.828, 2: 13.816}  # of chi-square at p = 0.001, by degrees of freedom


def assert_shares(counts, weights):
    """Chi-square of what was counted against the weights."""
    total, parts = sum(counts.values()), sum(weights.values())
    assert set(counts) <= {name for name, weight in weights.items() if weight}, counts
    statistic = sum((counts[name] - total * weight / parts) ** 2 / (total * weight / parts)
                    for name, weight in weights.items() if weight)
    assert statistic < CRITICAL[len(weights) - 1], (counts, weights, statistic)
