# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Services, EndpointSlices and Nodes for the plain model of the model check (reference.py).

Endpoints are (host, port); which of them a node uses is kube-proxy's rules, written down once more.
"""

from lib.kube_random import FOREIGN, US

ZONE = "topology.kubernetes.io/zone"
SERVICE_NAME = "kubernetes.io/service-name"


def labels(one):
    return one["metadata"].get("labels", {})


def addresses(service):
    """Those that are served; none of a Service that is headless or another proxy's."""
    found = service["spec"].get("clusterIPs", [])
    return [] if FOREIGN in labels(service) or found == ["None"] else found


def slices_of(state, key):
    """Those of a Service that count, by name."""
    return [one for other, one in sorted(state.items())
            if other[0] == "endpointslices" and other[1] == key[1] and
            labels(one).get(SERVICE_NAME) == key[2] and FOREIGN not in labels(one)]


def slice_endpoints(one):
    """Every ((host, port), protocol) of a slice."""
    return {((endpoint["addresses"][0], port["port"]), port["protocol"])
            for port in one["ports"] for endpoint in one["endpoints"]}


def rank(endpoint):
    """How much a slice says for an endpoint."""
    conditions = endpoint["conditions"]
    if conditions["ready"]:
        return 2
    return int(conditions["serving"] and conditions["terminating"])


def merged(state, key, port, is_v6):
    """{(host, port): (the endpoint as its best slice has it, is it on this node?)}"""
    found = {}
    for one in slices_of(state, key):
        numbers = [offered["port"] for offered in one["ports"]
                   if (offered["name"], offered["protocol"]) == (port["name"], port["protocol"])]
        if (one["addressType"] == "IPv6") != is_v6 or not numbers:
            continue
        for endpoint in one["endpoints"]:
            place = endpoint["addresses"][0], numbers[0]
            best, is_here = found.get(place, (endpoint, False))
            is_here |= endpoint.get("nodeName") == US
            found[place] = (endpoint if rank(endpoint) > rank(best) else best), is_here
    return found


def hinted(endpoint, kind):
    return [one["name"] for one in endpoint.get("hints", {}).get(kind, [])]


def zone_of_us(state):
    us = state.get(("nodes", "", US))
    return labels(us).get(ZONE, "") if us else ""


def topology(state, ready):
    """Of those that are ready the ones that this node is to use."""
    for kind, ours in (("forNodes", US), ("forZones", zone_of_us(state))):
        if all(hinted(one, kind) for one, _ in ready.values()) and \
                any(ours in hinted(one, kind) for one, _ in ready.values()):
            return {place for place, (one, _) in ready.items() if ours in hinted(one, kind)}
    return set(ready)


def used(state, key, port, is_v6):
    """(places that take new connections, are there some that only other nodes may use?, all)"""
    found = merged(state, key, port, is_v6)
    is_local = state[key]["spec"]["internalTrafficPolicy"] == "Local"
    usable = {place: one for place, one in found.items() if one[1] or not is_local}
    ready = {place: one for place, one in usable.items() if rank(one[0]) == 2}
    chosen = set(ready) if is_local else topology(state, ready)
    chosen = chosen or {place for place, one in usable.items() if rank(one[0]) == 1}
    return chosen, not chosen and any(rank(one) for one, _ in found.values()), set(found)
