# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The services of a run and how junctor is told about them.

One address plan serves every peer, so each sees the same table. The last ten services of a table
are the ones that are called, in turn: their endpoints are real servers, those of the others are
addresses nobody owns. Ten, because one VIP and port gives a peer that tracks connections 32,000
tuples at most, and meeting its own half-forgotten ones would slow it down as no real load does.
Does not talk to the control socket (daemon.py) and writes no rules (rules.py).
"""

import ipaddress
import json

SERVICE_PORT = 80
TARGET_PORT = 8080
API = "junctor.dev/v1alpha1"
NAMESPACE = "bench"
CALLED = 10


class Plan:
    """Where VIPs and endpoints live: across namespaces, or inside 127.0.0.0/8."""

    def __init__(self, vips, fillers, servers):
        self.vip_range = ipaddress.ip_network(vips)
        self.filler_range = ipaddress.ip_network(fillers)
        self.server_range = ipaddress.ip_network(servers)

    def vip(self, number):
        return str(self.vip_range[number + 1])

    def filler(self, number):
        return str(self.filler_range[number + 1])

    def server(self, number):
        return str(self.server_range[number + 1])


VETH = Plan("10.96.0.0/12", "10.128.0.0/10", "10.200.0.0/16")
LOOPBACK = Plan("127.96.0.0/16", "127.128.0.0/9", "127.100.0.0/16")


class Service:
    """A service with its endpoints (addresses, which share one port)."""

    target_port = TARGET_PORT

    def __init__(self, name, vip, endpoints, is_called=False, protocol="TCP"):
        self.name = name
        self.vip = vip
        self.endpoints = endpoints
        self.is_called = is_called
        self.protocol = protocol

    def document(self):
        return {
            "apiVersion": API,
            "kind": "LocalService",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": {
                "addresses": [self.vip],
                "ports": [{"port": SERVICE_PORT, "targetPort": self.target_port,
                           "protocol": self.protocol}],
                "backends": [{"address": address} for address in self.endpoints],
            },
        }


def table(count, each, plan, protocol="TCP"):
    """count services of `each` endpoints; the last CALLED ones have real servers."""
    services = []
    for number in range(count):
        place = number - (count - CALLED)
        is_called = place >= 0
        address, first = (plan.server, place) if is_called else (plan.filler, number)
        endpoints = [address(first * each + step) for step in range(each)]
        services.append(Service(f"svc-{number + 1:05d}", plan.vip(number), endpoints, is_called,
                                protocol))
    return services


def called(services):
    return [service for service in services if service.is_called]


def policy_lines(services, spec):
    """A policy of this spec for each of them, for the same body."""
    lines = (json.dumps({"apiVersion": API, "kind": "TrafficPolicy",
                         "metadata": {"name": s.name, "namespace": NAMESPACE},
                         "spec": {"targetRef": {"kind": "LocalService", "name": s.name}, **spec}},
                        separators=(",", ":")) for s in services)
    return ("\n".join(lines) + "\n").encode()


def json_lines(services):
    """The body of one /v1/apply."""
    lines = (json.dumps(s.document(), separators=(",", ":")) for s in services)
    return ("\n".join(lines) + "\n").encode()
