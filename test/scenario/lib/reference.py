# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What junctord should hold and serve, from what was declared: the plain model of the model check.

It looks at everything each time. Objects are those of objects.py with every default written out; a
state is {key: object}, a key (plural, namespace, name).
"""

import errno
import math

from lib import reference_cluster

LOOPBACK = ("127.", "[::1]", "::1")
PLURALS = {"LocalService": "localservices", "TrafficPolicy": "trafficpolicies",
           "Service": "services", "EndpointSlice": "endpointslices", "Node": "nodes"}
REDRAWS = 8  # JN_MAX_REDRAWS
RARE = 5  # expected connections
SERVICES = ("localservices", "services")
ALGORITHMS = {"Random": 0, "RoundRobin": 1, "Maglev": 2, "SourceHash": 3, "LeastConnections": 4,
              "Ewma": 5}


def key_of(declared):
    metadata = declared["metadata"]
    return PLURALS[declared["kind"]], metadata.get("namespace", ""), metadata["name"]


def of_kind(state, *plurals):
    return {key: one for key, one in state.items() if key[0] in plurals}


def content(declared):
    """What was declared, without who it is and what became of it."""
    return {"labels": declared["metadata"].get("labels", {}),
            **{field: value for field, value in declared.items()
               if field not in ("apiVersion", "kind", "metadata", "status")}}


def holds(listed, declared):
    """Is all of it there? Fields that were left out have their defaults there."""
    if isinstance(declared, dict) and isinstance(listed, dict):
        return all(holds(listed.get(field), value) for field, value in declared.items())
    return listed == declared or (not listed and not declared)


def is_listed(state, listed):
    """Are these {key: object} what was declared?"""
    return state.keys() == listed.keys() and \
        all(holds(content(listed[key]), content(one)) for key, one in state.items())


def endpoint(address, port):
    """As the tables' reader prints it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def backend_address(backend, port):
    """Where a backend serves a port of its service: ports have a targetPort, or the backend one."""
    text = backend["address"]
    has_port = text.startswith("[") or ("." in text and ":" in text)
    return text if has_port else endpoint(text, port["targetPort"])


def addresses(service):
    """VIPs of a service of either kind."""
    if service["kind"] == "Service":
        return reference_cluster.addresses(service)
    return service["spec"]["addresses"]


def frontends(service):
    """{(address with port, protocol): port} of one object."""
    return {(endpoint(address, port["port"]), port["protocol"]): port
            for port in service["spec"]["ports"] for address in addresses(service)}


def backends(state):
    """Every (address with port, protocol) that something leads to."""
    found = {(backend_address(backend, port), port["protocol"])
             for one in of_kind(state, "localservices").values()
             for backend in one["spec"]["backends"] for port in one["spec"]["ports"]}
    for one in of_kind(state, "endpointslices").values():
        if reference_cluster.FOREIGN not in reference_cluster.labels(one):
            found |= {(endpoint(*place), protocol)
                      for place, protocol in reference_cluster.slice_endpoints(one)}
    return found


def is_right(state):
    """No two objects have a frontend or a name, no backend is one, no two policies govern the same."""
    owned = [frontend for one in of_kind(state, *SERVICES).values() for frontend in frontends(one)]
    names = [key[1:] for key in of_kind(state, *SERVICES)]
    targets = [(key[1], one["spec"]["targetRef"]["name"], one["spec"]["targetRef"].get("port"))
               for key, one in of_kind(state, "trafficpolicies").items()]
    return len(set(owned)) == len(owned) and not backends(state) & set(owned) and \
        len(set(names)) == len(names) and len(set(targets)) == len(targets)


def usable(service):
    """The backends that take new connections."""
    ready = [one for one in service["spec"]["backends"] if one.get("ready", True) and one["weight"]]
    return [one for one in ready if not one.get("terminating")] or ready


def policy_spec(state, key, port):
    found = {}
    for other, one in state.items():
        target = one.get("spec", {}).get("targetRef")
        if other[0] != "trafficpolicies" or other[1] != key[1] or target["name"] != key[2] or \
                PLURALS[target["kind"]] != key[0]:
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


def row_of(state, key, port, of):
    """What is served on one frontend, whose new connections go to {backend: weight}."""
    spec = policy_spec(state, key, port)
    refusal = spec.get("noBackendErrno", "ECONNREFUSED")
    return {"service": f"{key[1]}/{key[2]}/{port.get('name', '')}",
            "algorithm": ALGORITHMS[spec.get("algorithm", "Random")],
            "errno": getattr(errno, refusal), "refusal": refusal, "stays": False,
            "shares": {name: weight / sum(of.values()) for name, weight in of.items()}}


def local_rows(state, key, one):
    all_addresses = one["spec"]["addresses"] + [b["address"] for b in one["spec"]["backends"]]
    is_bound = any(address.startswith(LOOPBACK) for address in all_addresses)
    return {(vip, protocol): {**row_of(state, key, port, weights(one, port, vip)),
                              "bound": is_bound}
            for (vip, protocol), port in frontends(one).items()}


def cluster_rows(state, key, one):
    rows = {}
    for (vip, protocol), port in frontends(one).items():
        families = {":" in address for address in addresses(one)}
        places = set().union(*(reference_cluster.used(state, key, port, is_v6)[2]
                               for is_v6 in families))
        chosen, is_elsewhere, _ = reference_cluster.used(state, key, port, vip.startswith("["))
        row = row_of(state, key, port, {endpoint(*place): 1 for place in chosen})
        row["bound"] = any(text.startswith(LOOPBACK)
                           for text in [*addresses(one), *(host for host, _ in places)])
        row["stays"] = one["spec"]["sessionAffinity"] == "ClientIP"
        if is_elsewhere:
            row["refusal"] = "EHOSTUNREACH"
        rows[vip, protocol] = row
    return rows


def served(state):
    """{(VIP, protocol): what the tables' reader prints of it, and what connect() says}"""
    all_of_them = {}
    for key, one in of_kind(state, *SERVICES).items():
        rows = local_rows if key[0] == "localservices" else cluster_rows
        all_of_them |= rows(state, key, one)
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
        all(wanted[field] == found[field]
            for field in ("service", "bound", "algorithm", "errno"))


def cycle(shares):
    """The number of connections after which RoundRobin has given everybody its share exactly."""
    least = min(shares.values())
    for length in range(1, 200):
        if all(abs(share * length - round(share * length)) < 1e-6 for share in shares.values()):
            return length
    raise AssertionError(f"no cycle of {shares} is short enough ({least})")


def better_of_two(shares):
    """How often LeastConnections gives whom a connection while none is open: of two draws by weight
    the heavier one, the first where they weigh the same, or where no other one is drawn."""
    found = dict.fromkeys(shares, 0.0)
    for first, share in shares.items():
        alone = share ** (REDRAWS - 1)
        found[first] += share * alone
        for other, weight in shares.items():
            if other != first:
                winner = other if weight > share + 1e-9 else first
                found[winner] += share * (1 - alone) * weight / (1 - share)
    return found


def chi_square(counts, shares):
    """(how far the counts are from the shares, in how many ways they could be); what is too rare to
    be judged counts for the greatest one"""
    total = sum(counts.values())
    greatest = max(shares, key=shares.get)
    grouped = {}
    for name, share in shares.items():
        group = greatest if total * share < RARE else name
        wanted, got = grouped.get(group, (0, 0))
        grouped[group] = wanted + total * share, got + counts.get(name, 0)
    return sum((got - wanted) ** 2 / wanted for wanted, got in grouped.values()), len(grouped) - 1


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
