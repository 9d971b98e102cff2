#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Two runs of the bench beside each other: `test/bench/compare.py OLD NEW`, folders or single rows.

Targets are told apart by their ranges: "slower" where the new range lies above the whole old one,
"faster" below it, else "equal" (a smaller figure is better in all of them). Tables show the old
median and the new one. Rows, targets and lines that only one run has are named. Measures nothing.
"""

import argparse
import json
import os
import sys

from machine import Broken
from report import number_text, table_text


def rows(path):
    """{row number: what was found} of a folder of JSON files, or of one file."""
    paths = [path]
    if os.path.isdir(path):
        paths = [f"{path}/{name}" for name in sorted(os.listdir(path))
                 if name.startswith("row") and name.endswith(".json")]
    found = {}
    try:
        for one in paths:
            with open(one, encoding="utf-8") as lines:
                data = json.load(lines)
            found[data["row"]] = data
    except (OSError, ValueError, KeyError) as reason:
        raise Broken(f"{path} holds no run of the bench ({reason}): name a folder with rowNN.json"
                     " or one such file") from reason
    if not found:
        raise Broken(f"{path} holds no run of the bench: name a folder with rowNN.json")
    return found


def verdict(old, new):
    if new["low"] > old["high"]:
        return "slower"
    return "faster" if new["high"] < old["low"] else "equal"


def spread_text(seen, unit):
    low, middle, high = (number_text(seen[key], unit) for key in ("low", "median", "high"))
    return middle if low == high else f"{middle} ({low}-{high})"


def spreads(data):
    """{what: (figures, unit)} of a row's targets and of its noise."""
    found = {f"A/A, {what}": (seen, "x") for what, seen in data["noise"].items()}
    for claim in data["claims"]:
        if claim["seen"]:
            found[claim["claim"]] = (claim["seen"], claim["unit"])
    return found


def targets_table(old, new):
    lines, before = [], spreads(old)
    for what, (seen, unit) in spreads(new).items():
        was, text = before.pop(what, None), spread_text(seen, unit)
        if not was:
            lines.append([what, "-", text, "only new"])
        elif what.startswith("A/A"):
            lines.append([what, spread_text(*was), text, ""])
        else:
            lines.append([what, spread_text(*was), text, verdict(was[0], seen)])
    lines += [[what, spread_text(*was), "-", "only old"] for what, was in before.items()]
    return {"title": "Targets", "head": ["what", "old", "new", ""], "lines": lines}


def median(cell):
    """A cell without its range."""
    return str(cell).split(" (", maxsplit=1)[0]


def beside(old, new):
    """A table of both runs: each cell that differs as old -> new."""
    before = {line[0]: line for line in old["lines"]}
    lines = []
    for line in new["lines"]:
        was = before.pop(line[0], None)
        if not was or len(was) != len(line):
            lines.append([f"{line[0]} (only new)", *map(median, line[1:])])
            continue
        pairs = [(median(a), median(b)) for a, b in zip(was[1:], line[1:])]
        lines.append([line[0], *(a if a == b else f"{a} -> {b}" for a, b in pairs)])
    lines += [[f"{name} (only old)", *map(median, line[1:])] for name, line in before.items()]
    return {"title": new["title"], "head": new["head"], "lines": lines}


def row_text(old, new):
    """One row of two runs, as Markdown."""
    parts = [f"## Row {new['row']}, old and new: {new['title']}\n"]
    for name, data in (("old", old), ("new", new)):
        facts = ", ".join(f"{key} {value}" for key, value in data["machine"].items())
        parts.append(f"{name}: {facts}\n")
    parts.append(table_text(targets_table(old, new)))
    before = {table["title"]: table for table in old["tables"]}
    for table in new["tables"]:
        was = before.pop(table["title"], None)
        if was and was["head"] == table["head"]:
            parts.append(table_text(beside(was, table)))
        else:
            parts.append(f"Only new: {table['title']}\n")
    parts += [f"Only old: {title}\n" for title in before]
    return "\n".join(parts)


def text(old, new):
    """All rows that both runs have; old and new are what rows() returned."""
    parts = [row_text(old[number], new[number]) for number in sorted(new) if number in old]
    for name, mine, other in (("old", old, new), ("new", new, old)):
        alone = [str(number) for number in sorted(mine) if number not in other]
        if alone:
            parts.append(f"Rows of the {name} run alone: {', '.join(alone)}\n")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description="two runs of the bench beside each other")
    for name in ("old", "new"):
        parser.add_argument(name, help="a folder with rowNN.json, or one such file")
    options = parser.parse_args()
    try:
        print(text(rows(options.old), rows(options.new)))
    except Broken as reason:
        sys.exit(f"broken: {reason}")


if __name__ == "__main__":
    main()
