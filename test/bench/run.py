#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The benchmark: `make bench`, `make bench ROW=3`, or `test/bench/run.py --smoke`.

Runs rows of the scoreboard and writes build/bench/*.json, report.md and plots. A missed target is
a result (exit 0); a run without its proof, or one that breaks, is none (exit 1). Never a timed
test. docs/bench.md says how to read it.
"""

import argparse
import importlib
import os
import sys

import compare
import kernelstats
import report
from harness import Void
from machine import Broken, Machine, leave_on_signals

ROWS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 18, 19)
LOAD_PROGRAMS = ("connloop", "exchange", "flip", "herd", "nullprog", "stream")
HERE = os.path.dirname(os.path.abspath(__file__))


class Bench:
    """What a row is handed: its settings, the machine, the programs."""

    def __init__(self, options, machine):
        self.rounds, self.seconds = options.rounds, options.seconds
        self.load_limit = options.load_limit
        self.machine = machine
        self.build = options.build

    def program(self, name):
        return f"{self.build}/bench/{name}"

    @property
    def junctord(self):
        return f"{self.build}/junctord"

    @staticmethod
    def say(text):
        print(f"    {text}", flush=True)


def parse():
    number = {"rounds": int(os.environ.get("BENCH_ROUNDS") or 9),
              "seconds": float(os.environ.get("BENCH_SECONDS") or 1)}
    parser = argparse.ArgumentParser(description="junctor's benchmark (see docs/bench.md)")
    parser.add_argument("--row", default=os.environ.get("ROW") or "",
                        help="rows, comma separated; all without it")
    parser.add_argument("--smoke", action="store_true",
                        help="row 3, short: proves that the harness works, figures mean nothing")
    parser.add_argument("--rounds", type=int, default=number["rounds"],
                        help="rounds that count; one more is thrown away")
    parser.add_argument("--seconds", type=float, default=number["seconds"],
                        help="of one peer in one round")
    parser.add_argument("--load-limit", type=float, default=600,
                        help="seconds after which a load of rules is given up (row 17)")
    parser.add_argument("--build", default=f"{HERE}/../../build", help="the build folder")
    parser.add_argument("--compare", metavar="OLD", default=os.environ.get("BENCH_COMPARE") or None,
                        help="an earlier run (a folder with rowNN.json, or one such file), printed"
                             " beside this one and into compare.md")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)  # the kernel's list of pins has such paths
    if options.smoke:
        options.row, options.rounds, options.seconds = "3", 2, 0.1
    return options


def chosen(text):
    rows = [int(word) for word in text.split(",") if word.strip()] or list(ROWS)
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise Broken(f"no row {unknown[0]}: there are {', '.join(map(str, ROWS))}")
    return rows


def check_build(options):
    needed = [f"{options.build}/junctord"]
    needed += [f"{options.build}/bench/{name}" for name in LOAD_PROGRAMS]
    for path in needed:
        if not os.access(path, os.X_OK):
            raise Broken(f"{os.path.relpath(path)} is missing: run `make bench`")


def run_row(number, options, folder):
    with Machine(folder) as machine:
        row = importlib.import_module(f"row{number:02d}").run(Bench(options, machine))
    facts = report.machine_facts({"rounds": options.rounds, "seconds": options.seconds})
    if kernelstats.are_on_for_all():
        row.notes.append("kernel.bpf_stats_enabled is 1: every program run is dearer by it")
    data = report.save(row, facts, folder)
    print(report.row_text(data), flush=True)
    return data


def compare_with(old, new, folder):
    text = compare.text(old, new)
    print(text, flush=True)
    with open(f"{folder}/compare.md", "w", encoding="utf-8") as out:
        out.write(text)


def main():
    options = parse()
    leave_on_signals()
    try:
        rows = chosen(options.row)
        check_build(options)
        # A smoke run must not replace the figures of a real one.
        folder = f"{options.build}/bench" + ("/smoke" if options.smoke else "")
        os.makedirs(folder, exist_ok=True)
        # Read now: it may be the very folder that this run writes to.
        old, new = compare.rows(options.compare) if options.compare else {}, {}
        for number in rows:
            print(f"row {number}", flush=True)
            new[number] = run_row(number, options, folder)
        report.write_all(folder, lambda text: print(text, flush=True))
        if old:
            compare_with(old, new, folder)
    except Void as reason:
        sys.exit(f"void: {reason}")
    except Broken as reason:
        sys.exit(f"broken: {reason}")
    except KeyboardInterrupt:
        sys.exit("interrupted; everything borrowed was given back")


if __name__ == "__main__":
    main()
