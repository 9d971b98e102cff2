# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Judges the ledger of a load (load.py): exit 1 where an attempt failed or too few were made.

Usage: judge.py LEDGER     the last line says what was counted
"""

import collections
import hashlib
import json
import sys

BIG = hashlib.sha256(bytes(range(256)) * 256).hexdigest()
with open(sys.argv[1], encoding="utf-8") as ledger:
    loaded = json.load(ledger)
lines = loaded["lines"]
count = collections.Counter(line["kind"] for line in lines)
begin, end = (moment(line["begin"] for line in lines) for moment in (min, max))

failures = [line for line in lines if line["error"] or line["kind"] == "busy" and line["sha256"] != BIG]
for line in failures[:10]:
    print(f"{line['begin'] - begin:.3f} s: {line}")
is_short = len(lines) < 0.99 * loaded["planned"]
print(f"ledger: {len(lines)} attempts of {loaded['planned']} planned in {end - begin:.0f} s,"
      f" {len(failures)} failed:",
      ", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))
sys.exit(1 if failures or is_short else 0)
