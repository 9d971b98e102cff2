# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A program that asks name servers who they are, and looks where from it is answered.

Usage: datagrams.py KIND COUNT [ADDRESS=NAMES...]   NAMES: of the servers behind it, by commas

  connected     one socket for each address, connected, all the time
  unconnected   one socket of each family for all addresses, in turns
  fresh         a new socket for each question, as a resolver does
  reconnected   a new socket for each question, connected
  flood         a new socket for each of COUNT datagrams, nobody waits for an answer

Waits for a line on its input first, so that several can begin together. Prints one JSON object:
{"right": N, "wrong": {what was wrong: N}, "asked again": N}. UDP may lose a datagram: what is not
answered within a second is asked again, and only the answer of the latest question counts.
"""

import collections
import itertools
import json
import resource
import socket
import sys

from clients import dns_name, dns_question, family_of

PORT = 53
SECONDS = 1.0


class Asker:
    def __init__(self, kind, places):
        self.kind, self.places = kind, places
        self.kept = {}
        self.wrong = collections.Counter()
        self.right = self.again = 0
        self.numbers = itertools.cycle(range(1, 65536))

    def open(self, address):
        made = socket.socket(family_of(address), socket.SOCK_DGRAM)
        made.settimeout(SECONDS)
        if self.kind in ("connected", "reconnected"):
            made.connect((address, PORT))
        return made

    def socket_for(self, address):
        if self.kind in ("fresh", "reconnected"):
            return self.open(address)
        key = address if self.kind == "connected" else family_of(address)
        if key not in self.kept:
            self.kept[key] = self.open(address)
        return self.kept[key]

    def exchange(self, asking, address):
        """The answer and where it came from."""
        while True:
            number = next(self.numbers)
            if self.kind in ("connected", "reconnected"):
                asking.send(dns_question(number))
            else:
                asking.sendto(dns_question(number), (address, PORT))
            try:
                while True:
                    answer, source = asking.recvfrom(4096)
                    if answer[:2] == number.to_bytes(2, "big"):
                        return answer, source
            except TimeoutError:
                self.again += 1

    def ask(self, address):
        asking = self.socket_for(address)
        answer, source = self.exchange(asking, address)
        name = dns_name(answer)
        if source[:2] != (address, PORT):
            self.wrong[f"{address} answered from {source[:2]}"] += 1
        elif name not in self.places[address]:
            self.wrong[f"{address} answered by {name}"] += 1
        elif self.kind == "connected" and asking.getpeername()[:2] != (address, PORT):
            self.wrong[f"{address} is shown as {asking.getpeername()[:2]}"] += 1
        else:
            self.right += 1
        if asking not in self.kept.values():
            asking.close()

    def flood(self, count):
        for address in itertools.islice(itertools.cycle(self.places), count):
            with socket.socket(family_of(address), socket.SOCK_DGRAM) as one:
                one.sendto(b"?", (address, PORT))

    def run(self, count):
        if self.kind == "flood":
            self.flood(count)
            return
        for address in itertools.islice(itertools.cycle(self.places), count):
            self.ask(address)


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    places = {address: names.split(",") for address, _, names in
              (word.partition("=") for word in sys.argv[3:])}
    asker = Asker(sys.argv[1], places)
    sys.stdin.readline()
    asker.run(int(sys.argv[2]))
    print(json.dumps({"right": asker.right, "wrong": asker.wrong, "asked again": asker.again}))


main()
