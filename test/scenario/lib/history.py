# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Random operations on the control socket, and what must come of each by the reference.

A seed gives the same operations in every run, as long as junctord answers as it should. Few names,
addresses and backends, so that they meet: conflicts, moves and repetitions are the rule.
"""

import copy

from lib import kube_random, reference
from lib.objects import API, backend

VIPS = ["127.96.0.1", "127.96.0.2", "10.96.0.1", "fd00:96::1", "fd00:96::2"]
HOSTS = ["127.0.0.1", "127.0.0.2", "10.1.0.1", "fd00:1::1"]
PORTS = [8081, 8082]
NAMES = [("default", "a"), ("default", "b"), ("default", "c"), ("shop", "a"), ("shop", "b")]
JUNCTOR = "/apis/junctor.dev/v1alpha1"
GROUPS = {"localservices": JUNCTOR, "trafficpolicies": JUNCTOR, "services": "/api/v1",
          "endpointslices": "/apis/discovery.k8s.io/v1", "nodes": "/api/v1"}
KUBERNETES = 0.55  # of all objects


class Operation:
    """One request; statuses: the ones that are right; after: the state it leads to, if it succeeds."""

    def __init__(self, method, target, body, statuses, after, results=None):
        self.method, self.target, self.body = method, target, body
        self.statuses, self.after, self.results = statuses, after, results

    def __repr__(self):
        return f"{self.method} {self.target} {self.body} -> {self.statuses}"


def path_of(key, with_name=True):
    plural, namespace, name = key
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{GROUPS[plural]}{where}/{plural}" + (f"/{name}" if with_name else "")


def metadata(namespace, name):
    return {"name": name, "namespace": namespace}


class History:
    def __init__(self, chance):
        self.chance = chance
        self.state = {}
        self.versions = {}
        self.generation = 0

    # --- objects ----------------------------------------------------------------------------------
    def ports(self):
        protocol = self.chance.choice(["TCP", "TCP", "UDP"])
        first = {"port": self.chance.choice([80, 80, 81]), "protocol": protocol,
                 "targetPort": self.chance.choice(PORTS)}
        if self.chance.random() < 0.7:
            return [first]
        second = {"name": "two", "port": 90, "protocol": self.chance.choice(["TCP", "UDP"]),
                  "targetPort": self.chance.choice(PORTS)}
        return [{"name": "one", **first}, second]

    def backend(self, host, ports):
        made = backend(host, weight=self.chance.choice([1, 1, 1, 2, 3, 5, 0]))
        if len(ports) == 1 and self.chance.random() < 0.5:
            made["address"] = reference.endpoint(host, self.chance.choice(PORTS))
        if self.chance.random() < 0.2:
            made["ready"] = False
        if self.chance.random() < 0.2:
            made["terminating"] = True
        return made

    def service(self, namespace, name):
        addresses = self.chance.sample(VIPS, self.chance.choice([1, 1, 2, 3]))
        hosts = HOSTS if any(":" in one for one in addresses) else \
            [one for one in HOSTS if ":" not in one]
        ports = self.ports()
        backends = [self.backend(host, ports)
                    for host in self.chance.sample(hosts, self.chance.randrange(len(hosts) + 1))]
        if len(ports) == 1 and self.chance.random() < 0.03:  # somebody's VIP, maybe
            backends.append(backend(reference.endpoint(VIPS[0], 80), weight=1))
        return {"apiVersion": API, "kind": "LocalService", "metadata": metadata(namespace, name),
                "spec": {"addresses": addresses, "ports": ports, "backends": backends}}

    def policy(self, namespace, name):
        target = {"kind": self.chance.choice(["LocalService", "LocalService", "Service"]),
                  "name": self.chance.choice("abcd"),
                  **self.chance.choice([{}, {}, {"port": "one"}, {"port": "two"}])}
        return {"apiVersion": API, "kind": "TrafficPolicy", "metadata": metadata(namespace, name),
                "spec": {"targetRef": target,
                         "algorithm": self.chance.choice(list(reference.ALGORITHMS)),
                         "noBackendErrno": self.chance.choice(["ECONNREFUSED", "EPERM"])}}

    def any_object(self):
        if self.chance.random() < KUBERNETES:
            return kube_random.any_of_them(self.chance, VIPS, HOSTS, PORTS)
        make = self.policy if self.chance.random() < 0.25 else self.service
        return make(*self.chance.choice(NAMES))

    # --- operations -------------------------------------------------------------------------------
    def after(self, *changes):
        """The state with these objects declared, or None where it would not be right."""
        after = {**self.state, **{reference.key_of(one): one for one in changes}}
        return after if reference.is_right(after) else None

    def put(self, declared=None, version=None):
        declared = declared or self.any_object()
        key = reference.key_of(declared)
        after = self.after(declared)
        statuses = {200 if key in self.state else 201} if after is not None else {409, 422}
        body = copy.deepcopy(declared)
        if version:
            body["metadata"]["resourceVersion"] = str(version)
        return Operation("PUT", path_of(key), body, statuses, after)

    def post(self):
        declared = self.any_object()
        key = reference.key_of(declared)
        after = self.after(declared) if key not in self.state else None
        statuses = {201} if after is not None else {409, 422}
        return Operation("POST", path_of(key, with_name=False), declared, statuses, after)

    def delete(self):
        key = self.chance.choice(sorted(self.state) or [("localservices", "default", "a")])
        if key not in self.state:
            return Operation("DELETE", path_of(key), None, {404}, None)
        after = {other: one for other, one in self.state.items() if other != key}
        return Operation("DELETE", path_of(key), None, {200}, after)

    def reweigh(self):
        """GET, edit, PUT with the version that was read; or with an old one, which is refused."""
        keys = sorted(reference.of_kind(self.state, "localservices"))
        if not keys:
            return self.put()
        key = self.chance.choice(keys)
        edited = copy.deepcopy(self.state[key])
        for one in edited["spec"]["backends"]:
            one["weight"] = self.chance.choice([0, 1, 2, 4])
        if self.chance.random() < 0.3:
            operation = self.put(edited, version=self.versions[key] + 1000)
            return Operation("PUT", operation.target, operation.body, {409, 422}, None)
        return self.put(edited, version=self.versions[key])

    def apply(self, dry_run=False):
        objects = {}
        for _ in range(self.chance.choice([1, 2, 3, 6])):
            one = self.any_object()
            objects[reference.key_of(one)] = one
        after = self.after(*objects.values())
        results = ["unchanged" if self.state.get(key) == one else
                   "configured" if key in self.state else "created"
                   for key, one in objects.items()]
        body = list(objects.values()) if self.chance.random() < 0.5 else \
            {"apiVersion": "v1", "kind": "List", "items": list(objects.values())}
        return Operation("POST", "/v1/apply" + ("?dryRun=All" if dry_run else ""), body,
                         {200} if after is not None else {409, 422},
                         self.state if dry_run else after, results)

    def nonsense(self):
        """Wrong by itself: nothing may come of it, nor of what stands beside it."""
        wrong, right = self.service(*self.chance.choice(NAMES)), self.any_object()
        spoil = self.chance.choice([
            lambda spec: spec.update(colour="blue"),
            lambda spec: spec["ports"][0].update(port=0),
            lambda spec: spec["ports"][0].update(port=65536),
            lambda spec: spec.update(addresses=["fe80::1%lo"]),
            lambda spec: spec.update(backends=[{"address": "10.1.0.1", "weight": -1}]),
            lambda spec: spec.pop("ports")])
        spoil(wrong["spec"])
        body = [right, wrong]
        self.chance.shuffle(body)
        return Operation("POST", "/v1/apply", body, {422}, None)

    def next(self):
        kinds = [self.put, self.post, self.delete, self.reweigh, self.apply,
                 lambda: self.apply(dry_run=True), self.nonsense]
        return self.chance.choices(kinds, weights=[30, 6, 14, 18, 20, 6, 6])[0]()

    # --- what came of it --------------------------------------------------------------------------
    def accept(self, operation):
        """The operation succeeded; objects that changed have the new generation as their version."""
        if operation.after is None or operation.after == self.state:
            return
        self.generation += 1
        self.versions = {key: self.versions[key] if self.state.get(key) == one else self.generation
                         for key, one in operation.after.items()}
        self.state = operation.after
