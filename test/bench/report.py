# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a row found, as JSON, as text for a terminal, and as one Markdown report of all rows.

The report is made from the JSON files that are there, so one row can be run again alone. Computes
no figure.
"""

import datetime
import json
import os
import platform

import plots


class Row:
    """A row's findings while they come in."""

    def __init__(self, number, title):
        self.number, self.title = number, title
        self.noise, self.tables, self.claims, self.proofs, self.notes, self.plots = \
            {}, [], [], [], [], []

    def add_noise(self, what, spread):
        self.noise[what] = spread.as_json()

    def add_table(self, title, head, lines):
        self.tables.append({"title": title, "head": head, "lines": lines})

    def add_plot(self, name, title, unit, bars):
        """bars: [(label, Spread)]"""
        self.plots.append({"name": f"row{self.number:02d}-{name}.svg", "title": title,
                           "unit": unit, "bars": [[label, s.as_json()] for label, s in bars]})

    def as_json(self):
        return {"row": self.number, "title": self.title, "noise": self.noise,
                "tables": self.tables, "claims": [claim.as_json() for claim in self.claims],
                "proofs": self.proofs, "notes": self.notes, "plots": self.plots}


def machine_facts(settings):
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":")[1].strip() for line in lines
                      if line.startswith("model name")), platform.machine())
    return {"date": datetime.datetime.now().isoformat(timespec="minutes"),
            "kernel": platform.release(), "cpu": model, "cpus": os.cpu_count(),
            "load": f"{os.getloadavg()[0]:.1f}", **settings}


def save(row, facts, folder):
    data = {"machine": facts, **row.as_json()}
    with open(f"{folder}/row{row.number:02d}.json", "w", encoding="utf-8") as out:
        json.dump(data, out, indent=1)
    return data


def table_text(table):
    """A Markdown table, its columns padded so that a terminal shows it well too."""
    lines = [table["head"], *table["lines"]]
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(lines[0]))]
    padded = ["| " + " | ".join(str(cell).ljust(width) for cell, width in zip(line, widths)) + " |"
              for line in lines]
    padded.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return f"{table['title']}\n\n" + "\n".join(padded) + "\n"


def number_text(value, unit):
    digits = 3 if unit == "x" or value < 1 else 1
    return f"{value:.{digits}f}"


def claims_table(data):
    lines = []
    for claim in data["claims"]:
        seen, unit = claim["seen"], claim["unit"]
        text = "-"
        if seen:
            low, middle, high = (number_text(seen[key], unit) for key in ("low", "median", "high"))
            text = middle if low == high else f"{middle} ({low}-{high})"
        verdict = claim["verdict"] + (f": {claim['note']}" if claim["note"] else "")
        lines.append([claim["claim"], f"<= {number_text(claim['limit'], unit)} {unit}", text,
                      verdict])
    return {"title": "Targets (a claim holds only with its whole 25-75 % range)",
            "head": ["target", "to reach", "seen", "verdict"], "lines": lines}


def row_text(data):
    """One row, as Markdown without its plots."""
    facts = data["machine"]
    parts = [f"## Row {data['row']}: {data['title']}\n",
             ", ".join(f"{key} {value}" for key, value in facts.items()) + "\n"]
    for what, seen in data["noise"].items():
        parts.append(f"Noise floor, A/A ({what}): {seen['median']:.3f}"
                     f" ({seen['low']:.3f}-{seen['high']:.3f})\n")
    parts += [table_text(table) for table in data["tables"]]
    if data["claims"]:
        parts.append(table_text(claims_table(data)))
    if data["proofs"]:
        parts.append("Proof of the path\n\n" + "".join(f"- {text}\n" for text in data["proofs"]))
    parts += [f"Note: {text}\n" for text in data["notes"]]
    return "\n".join(parts)


def write_all(folder, say):
    """report.md and its plots, from every row's JSON in the folder."""
    names = sorted(name for name in os.listdir(folder)
                   if name.startswith("row") and name.endswith(".json"))
    parts = ["# junctor: the bench's report\n",
             "How it is measured and how to read it: docs/bench.md.\n"]
    for name in names:
        with open(f"{folder}/{name}", encoding="utf-8") as lines:
            data = json.load(lines)
        parts.append(row_text(data))
        for plot in data["plots"]:
            plots.draw(plot, folder)
            parts.append(f"![{plot['title']}]({plot['name']})\n")
    with open(f"{folder}/report.md", "w", encoding="utf-8") as out:
        out.write("\n".join(parts))
    say(f"report: {folder}/report.md")
