# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bars with their 25-75 % ranges, as PNG, where matplotlib is installed."""

try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    pyplot = None


def can_draw():
    return pyplot is not None


def draw(plot, folder):
    """Writes one picture; says whether it did."""
    if not can_draw():
        return False
    labels = [label for label, _ in plot["bars"]]
    seen = [spread for _, spread in plot["bars"]]
    middle = [spread["median"] for spread in seen]
    errors = [[spread["median"] - spread["low"] for spread in seen],
              [spread["high"] - spread["median"] for spread in seen]]
    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(labels) + 1.5))
    bars = axes.barh(labels, middle, xerr=errors, color="#4477aa", ecolor="#222222", capsize=3)
    axes.bar_label(bars, labels=[f" {value:.3g}" for value in middle], padding=8)
    axes.invert_yaxis()
    axes.set_xlabel(plot["unit"])
    axes.set_title(plot["title"])
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(f"{folder}/{plot['name']}", dpi=100)
    pyplot.close(figure)
    return True
