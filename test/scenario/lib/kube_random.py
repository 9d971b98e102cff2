# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Random Services, EndpointSlices and Nodes, as junctord answers them: with every default.

Few names, so that they meet those of LocalServices and each other.
"""

import socket

API = {"Service": "v1", "EndpointSlice": "discovery.k8s.io/v1", "Node": "v1"}
NAMES = [("default", "c"), ("default", "d"), ("shop", "b")]
SLICES = [(namespace, f"slice-{number}") for namespace in ("default", "shop") for number in range(1, 6)]
US = socket.gethostname()
ZONES = ["z1", "z2"]
PROTOCOLS = ["TCP"] * 7 + ["UDP"]
FOREIGN = "service.kubernetes.io/headless"


def whole(kind, namespace, name, labels=None, **content):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}),
                **({"labels": labels} if labels else {})}
    return {"apiVersion": API[kind], "kind": kind, "metadata": metadata, **content}


def foreign(chance):
    return {FOREIGN: ""} if chance.random() < 0.1 else {}


def service(chance, vips):
    namespace, name = chance.choice(NAMES)
    v4 = [one for one in vips if ":" not in one]
    v6 = [one for one in vips if ":" in one]
    addresses = [chance.choice(family)
                 for family in chance.choice([(v4,)] * 4 + [(v6,), (v4, v6), (v6, v4)])]
    if chance.random() < 0.05:
        addresses = ["None"]
    ports = [{"name": "one", "port": chance.choice([80, 80, 81]),
              "protocol": chance.choice(PROTOCOLS)}]
    if chance.random() < 0.4:
        ports.append({"name": "two", "port": 90, "protocol": chance.choice(PROTOCOLS)})
    spec = {"type": "ClusterIP", "clusterIP": addresses[0], "clusterIPs": addresses,
            "ports": ports,
            "internalTrafficPolicy": chance.choice(["Cluster"] * 4 + ["Local"]),
            "sessionAffinity": "None"}
    if chance.random() < 0.2:
        spec |= {"sessionAffinity": "ClientIP",
                 "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}
    return whole("Service", namespace, name, foreign(chance), spec=spec)


def endpoint(chance, host):
    ready, serving, terminating = chance.choice(
        [(True, True, False)] * 5 + [(False, True, True), (False, False, True),
                                     (False, False, False)])
    has = {"addresses": [host],
           "conditions": {"ready": ready, "serving": serving, "terminating": terminating}}
    if chance.random() < 0.8:
        has["nodeName"] = chance.choice([US, US, "another"])
    hints = {}
    if chance.random() < 0.4:
        hints["forZones"] = [{"name": chance.choice(ZONES)}]
    if chance.random() < 0.2:
        hints["forNodes"] = [{"name": chance.choice([US, "another"])}]
    return {**has, **({"hints": hints} if hints else {})}


def endpoint_slice(chance, hosts, ports):
    namespace, name = chance.choice(SLICES)
    is_v6 = chance.random() < 0.25
    hosts = [one for one in hosts if (":" in one) == is_v6]
    of = chance.choice([other for where, other in NAMES if where == namespace])
    names = chance.choice([["one"], ["one", "two"], ["one", "two"], ["one", "two"], ["two"]])
    return whole(
        "EndpointSlice", namespace, name, {"kubernetes.io/service-name": of, **foreign(chance)},
        addressType="IPv6" if is_v6 else "IPv4",
        ports=[{"name": one, "port": chance.choice(ports),
                "protocol": chance.choice(PROTOCOLS)} for one in names],
        endpoints=[endpoint(chance, host)
                   for host in chance.sample(hosts, chance.randint(chance.random() > 0.2, len(hosts)))])


def node(chance):
    zone = chance.choice([*ZONES, None])
    return whole("Node", "", chance.choice([US, US, "another"]),
                 {"topology.kubernetes.io/zone": zone} if zone else None, spec={})


def any_of_them(chance, vips, hosts, ports):
    how = chance.random()
    if how < 0.3:
        return service(chance, vips)
    return endpoint_slice(chance, hosts, ports) if how < 0.9 else node(chance)
