# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What junctord should hold and serve, from what was declared: the plain model of the model check.

It looks at everything each time. Objects are those of objects.py with every default written out; a
state is {key: object}, a key (plural, namespace, name).
"""

import errno
import math

LOOPBACK = ("127.", "[::1]", "::1")
ALGORITHMS = {"Random": 0, "RoundRobin": 1, "Maglev": 2, "SourceHash": 3, "LeastConnections": 4,
              "Ewma": 5}


def key_of(declared):
    plural = {"LocalService": "localservices", "TrafficPolicy": "trafficpolicies"}[declared["kind"]]
    return plural, declared["metadata"]["namespace"], declared["metadata"]["name"]


def services(state):
    return {key: one for key, one in state.items() if key[0] == "localservices"}


def is_listed(state, listed):
    """Are these {key: spec} what was declared? Fields that were left out have their defaults there."""
    return state.keys() == listed.keys() and \
        all(listed[key].get(field) == value
            for key, one in state.items() for field, value in one["spec"].items())


def endpoint(address, port):
    """As the tables' reader prints it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def backend_address(backend, port):
    """Where a backend serves a port of its service: ports have a targetPort, or the backend one."""
    text = backend["address"]
    has_port = text.startswith("[") or ("." in text and ":" in text)
    return text if has_port else endpoint(text, port["targetPort"])


def frontends(service):
    """{(address with port, protocol): port} of one object."""
    return {(endpoint(address, port["port"]), port["protocol"]): port
            for port in service["spec"]["ports"] for address in service["spec"]["addresses"]}


def is_right(state):
    """No two objects have a frontend, no backend is one, no two policies govern the same."""
    owned = [frontend for one in services(state).values() for frontend in frontends(one)]
    backends = {(backend_address(backend, port), port["protocol"])
                for one in services(state).values() for backend in one["spec"]["backends"]
                for port in one["spec"]["ports"]}
    targets = [(key[1], one["spec"]["targetRef"]["name"], one["spec"]["targetRef"].get("port"))
               for key, one in state.items() if key[0] == "trafficpolicies"]
    return len(set(owned)) == len(owned) and not backends & set(owned) and \
        len(set(targets)) == len(targets)


def usable(service):
    """The backends that take new connections."""
    ready = [one for one in service["spec"]["backends"] if one.get("ready", True) and one["weight"]]
    return [one for one in ready if not one.get("terminating")] or ready


def policy_spec(state, key, port):
    found = {}
    for other, one in state.items():
        target = one["spec"].get("targetRef")
        if other[0] != "trafficpolicies" or other[1] != key[1] or target["name"] != key[2]:
            continue
        if target.get("port") == port.get("name", ""):
            return one["spec"]
        if "port" not in target:
            found = one["spec"]
    return found


def weights(service, port, vip):
    """{backend: weight} of one frontend: IPv4 reaches IPv4; UDP prefers IPv6 where there is some."""
    of = {backend_address(one, port): one["weight"] for one in usable(service)}
    has_v6 = any(name.startswith("[") for name in of)
    if not vip.startswith("["):
        return {name: weight for name, weight in of.items() if not name.startswith("[")}
    if port["protocol"] == "UDP" and has_v6:
        return {name: weight for name, weight in of.items() if name.startswith("[")}
    return of


def served(state):
    """{(VIP, protocol): what the tables' reader prints of it}"""
    all_of_them = {}
    for key, one in services(state).items():
        addresses = one["spec"]["addresses"] + [b["address"] for b in one["spec"]["backends"]]
        for (vip, protocol), port in frontends(one).items():
            spec = policy_spec(state, key, port)
            of = weights(one, port, vip)
            all_of_them[vip, protocol] = {
                "service": f"{key[1]}/{key[2]}/{port.get('name', '')}",
                "bound": any(address.startswith(LOOPBACK) for address in addresses),
                "algorithm": ALGORITHMS[spec.get("algorithm", "Random")],
                "errno": getattr(errno, spec.get("noBackendErrno", "ECONNREFUSED")),
                "shares": {name: weight / sum(of.values()) for name, weight in of.items()}}
    return all_of_them


def differences(wanted, found):
    """Sentences: which frontends are not as they should be."""
    said = [f"{name} is served and was not declared" for name in found.keys() - wanted.keys()]
    said += [f"{name} was declared and is not served" for name in wanted.keys() - found.keys()]
    for name in wanted.keys() & found.keys():
        if not is_same(wanted[name], found[name]):
            said.append(f"{name} is {found[name]}, and should be {wanted[name]}")
    return said


def is_same(wanted, found):
    """Shares are rounded in the slots; Maglev's are whole entries of its table."""
    far = 0.02 if wanted["algorithm"] == ALGORITHMS["Maglev"] else 0.001
    return wanted["shares"].keys() == found["shares"].keys() and \
        all(abs(share - found["shares"][name]) < far
            for name, share in wanted["shares"].items()) and \
        all(wanted[field] == found[field] for field in wanted if field != "shares")


def cycle(shares):
    """The number of connections after which RoundRobin has given everybody its share exactly."""
    least = min(shares.values())
    for length in range(1, 200):
        if all(abs(share * length - round(share * length)) < 1e-6 for share in shares.values()):
            return length
    raise AssertionError(f"no cycle of {shares} is short enough ({least})")


def chi_square(counts, shares):
    """(how far the counts are from the shares, in how many ways they could be)"""
    total = sum(counts.values())
    return sum((counts.get(name, 0) - total * share) ** 2 / (total * share)
               for name, share in shares.items()), len(shares) - 1


def probability(distance, freedom):
    """Of being at least that far away by chance: the upper tail of the chi-square distribution."""
    if not freedom:
        return 1.0
    if freedom > 100:  # Wilson and Hilferty, 1931
        spread = 2 / (9 * freedom)
        away = ((distance / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
        return math.erfc(away / math.sqrt(2)) / 2
    half = distance / 2
    if freedom % 2:
        term, found = 2 * math.sqrt(half / math.pi) * math.exp(-half), math.erfc(math.sqrt(half))
        steps = [step + 0.5 for step in range(1, (freedom + 1) // 2)]
    else:
        term, found = math.exp(-half), 0.0
        steps = range(1, freedom // 2 + 1)
    for step in steps:
        found += term
        term *= half / step
    return found
