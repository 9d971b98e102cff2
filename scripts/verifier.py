#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""docs/verifier.md: what the verifier makes of every program, by kernel and by compiler.

  verifier.py check FILE...   no program grew by more than a tenth since the table was written
  verifier.py write FILE...   writes the table anew; columns that no FILE brings stay as they are

A FILE is what test/bpf/budget_test printed, named <kernel>-clang-<version>, as 6.1-clang-14, after a
line "kernel TEXT" that tells which one it was. The budgets themselves are that test's business.
"""

import re
import sys
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "verifier.md"
TABLES = ("Instructions verified", "Largest stack frame, in bytes", "Verification, in µs")
GROWTH = 1.1
SLACK = 50  # instructions; a tenth of a small program is one line of C

HEAD = """# What the verifier makes of the programs

Written by `make test-kernels WRITE=1`, not by hand. `make check` (the kernel that runs) and `make test-kernels` (6.1 and 6.12) fail where a program is looked at for more than a tenth longer than here, or for more than 50,000 instructions, or where all of them take more than 0.3 s to load. Time is told where the processor is a real one. A program that a kernel does not know has no number there.

Kernels: {kernels}.
"""


def read_result(path):
    """{column: {program: (instructions, stack, microseconds)}} of one file, and the kernel's name."""
    text = Path(path).read_text()
    rows = re.findall(r"^(jn_\w+) +(\d+) +(\d+) +(\d+)$", text, re.M)
    kernel = re.search(r"^kernel (.+)$", text, re.M)
    if not rows or not kernel:
        sys.exit(f"verifier: {path} is no output of budget_test; run it again")
    column = re.sub(r"-clang-", ", clang ", Path(path).name)
    is_emulated = "processor is emulated" in text
    cells = {name: [verified, stack, "" if is_emulated else time]
             for name, verified, stack, time in rows}
    return column, cells, kernel[1]


def read_document():
    """{column: {program: [cell of each table]}} and {series: kernel} as the document has them."""
    columns, kernels = {}, {}
    if not DOCUMENT.exists():
        return columns, kernels
    text = DOCUMENT.read_text()
    kernels = dict(re.findall(r"([\d.]+) \((.+?)\)", re.search(r"^Kernels: (.*)\.$", text, re.M)[1]))
    for index, title in enumerate(TABLES):
        lines = text.partition(f"## {title}\n\n")[2].partition("\n\n")[0].splitlines()
        names = [cell.strip() for cell in lines[0].strip("|").split("|")][1:]
        for line in lines[2:]:
            program, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            for name, cell in zip(names, cells):
                row = columns.setdefault(name, {}).setdefault(program.strip("`"), [""] * len(TABLES))
                row[index] = cell
    return columns, kernels


def order(column):
    return [int(number) for number in re.findall(r"\d+", column)]


def table_text(title, index, columns, programs):
    """Columns that have nothing to tell are left out."""
    names = [name for name in sorted(columns, key=order)
             if any(row[index] for row in columns[name].values())]
    lines = [f"## {title}\n", "| program | " + " | ".join(names) + " |",
             "|---|" + "---:|" * len(names)]
    for program in programs:
        cells = (columns[name].get(program, [""] * len(TABLES))[index] for name in names)
        lines.append(f"| `{program}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write(results):
    columns, kernels = read_document()
    for column, cells, kernel in results:
        columns[column] = cells
        kernels[column.partition(",")[0]] = kernel
    programs = list(dict.fromkeys(program for column in sorted(columns, key=order, reverse=True)
                                  for program in columns[column]))
    named = ", ".join(f"{series} ({kernels[series]})" for series in sorted(kernels, key=order))
    parts = [HEAD.format(kernels=named)]
    parts += [table_text(title, index, columns, programs) for index, title in enumerate(TABLES)]
    DOCUMENT.write_text("\n".join(parts))
    return []


def check(results):
    known, _ = read_document()
    wrong = []
    for column, cells, _ in results:
        if column not in known:
            print(f"{column}: not in {DOCUMENT.name}, nothing to compare with")
            continue
        for program, (verified, _, _) in cells.items():
            before = known[column].get(program, [""])[0]
            if not before:
                wrong.append(f"{program} ({column}) is new")
            elif int(verified) > max(int(before) * GROWTH, int(before) + SLACK):
                wrong.append(f"{program} ({column}): {verified} instructions, {before} before")
    return wrong


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("check", "write"):
        sys.exit(__doc__)
    results = [read_result(path) for path in sys.argv[2:]]
    wrong = (check if sys.argv[1] == "check" else write)(results)
    for line in wrong:
        print(line)
    if wrong:
        sys.exit("verifier: make the programs smaller, or accept it: make test-kernels WRITE=1")


if __name__ == "__main__":
    main()
