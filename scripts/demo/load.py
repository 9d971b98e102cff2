# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bounded load with a ledger: every attempt is planned, timed and written down.

Usage: load.py URL WORKERS TURNS SECONDS LEDGER

Each worker opens one connection that it keeps, and then, TURNS times spread over SECONDS, opens a
new connection for one request and sends one more request on the kept one. The ledger has a line
for every attempt: the time it began, "new" or "kept", and "ok" or what went wrong. It knows nothing
of junctor: it is an ordinary client of an ordinary HTTP server.
"""

import http.client
import sys
import threading
import time
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5


def ask(connection):
    """One request; "ok", or what went wrong."""
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    return "ok" if answer.status == 200 else f"status {answer.status}"


def open_connection(url):
    return http.client.HTTPConnection(url.hostname, url.port or 80, timeout=TIMEOUT_SECONDS)


def work(url, turns, seconds, ledger):
    kept = open_connection(url)
    kept.auto_open = 0  # a kept connection that breaks is a failure, never opened again
    kept.connect()
    begin = time.monotonic()
    for turn in range(turns):
        time.sleep(max(0.0, begin + turn * seconds / turns - time.monotonic()))
        fresh = open_connection(url)
        ledger.append((time.time(), "new", ask(fresh)))
        fresh.close()
        ledger.append((time.time(), "kept", ask(kept)))
    kept.close()


def main():
    url = urlsplit(sys.argv[1])
    workers, turns, seconds = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    ledger = []
    threads = [
        threading.Thread(target=work, args=(url, turns, seconds, ledger)) for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(sys.argv[5], "w", encoding="utf-8") as file:
        file.writelines(f"{begin:.6f} {kind} {result}\n" for begin, kind, result in ledger)


main()
