# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Objects that are wrong: refused whole, with the path of the field, the status and the remedy.

  one node (lib/node.py)
  VIP 127.96.0.10, 80/TCP  ->  127.0.0.1:8081     declared before, and as it was after every case
"""

import copy

import pytest

from lib.clients import name_at
from lib.objects import POLICIES, SERVICES, policy, service, udp

GOOD = service("candidate", "127.96.0.20", [{"name": "http", "port": 80}], ["127.0.0.2:8081"])
POLICY = policy("candidate", "web", algorithm="RoundRobin", affinity={}, outlier={}, limits={})
TWO_PORTS = [{"name": "one", "port": 80}, {"name": "two", "port": 81}]
GONE = object()


@pytest.fixture(scope="module")
def world(node):
    node.servers.http(a="127.0.0.1:8081")
    node.control.declare(service("web", "127.96.0.10", 80, ["127.0.0.1:8081"]),
                         service("pair", "127.96.0.11", TWO_PORTS, ["127.0.0.3"]),
                         policy("web", "web", algorithm="Random"))


@pytest.fixture(autouse=True)
def unchanged(node, world):
    """State and traffic after a refusal are what they were before."""
    before = (node.control.status()["generation"], node.control.specs())
    yield
    assert (node.control.status()["generation"], node.control.specs()) == before
    assert name_at(node, "127.96.0.10") == "a"


def changed(good, path, value):
    """A copy in which the value at a path (as a cause names it) is another one, or gone."""
    wrong = copy.deepcopy(good)
    place, words = wrong, path.replace("]", "").replace("[", ".").split(".")
    for word in words[:-1]:
        place = place[int(word) if word.isdigit() else word]
    last = int(words[-1]) if words[-1].isdigit() else words[-1]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return wrong


def assert_refused(answer, status, field, remedy=""):
    assert answer.status == status, answer
    said = answer.json
    assert (said["kind"], said["apiVersion"], said["status"]) == ("Status", "v1", "Failure")
    assert said["code"] == status and said["message"]
    assert field in answer.causes, answer
    cause = answer.causes[field]
    assert cause["reason"] and remedy in cause["message"], cause
    assert len(cause["message"]) > 15, "what is wrong and what to do"


# path, value, part of the remedy
FIELDS = [
    ("metadata.name", GONE, "give"), ("metadata.name", "", "1 to 63"),
    ("metadata.name", "Upper", ""), ("metadata.name", "a" * 64, "63"),
    ("metadata.name", "-a", ""), ("metadata.name", "a.b", ""), ("metadata.name", 5, "DNS label"),
    ("metadata.namespace", "Not A Label", ""), ("metadata.labels", ["a"], "object"),
    ("metadata.labels", {"a": 1}, None), ("metadata.annotations", {"a b": "x"}, None),
    ("metadata.nmae", "x", "name"), ("metadata.resourceVersion", "soon", "digits"),
    ("apiVersion", "junctor.dev/v1", "v1alpha1"), ("apiVersion", GONE, "v1alpha1"),
    ("kind", "LocalServices", "LocalService"), ("kind", GONE, "LocalService"),
    ("kind", "Service", "LocalService"), ("spec", GONE, "give"), ("spec", [], "object"),
    ("spec.adresses", [], "addresses"), ("spec.selector", {}, ""), ("spec.routes", [], ""),
    ("spec.observe", "None", ""), ("spec.addresses", GONE, "give"),
    ("spec.addresses", [], "at least one"), ("spec.addresses", "127.96.0.20", "list"),
    ("spec.addresses", [f"127.96.9.{number}" for number in range(17)], "16"),
    ("spec.addresses[0]", "localhost", ""), ("spec.addresses[0]", 2130706433, "text"),
    ("spec.addresses[0]", "0.0.0.0", "another"), ("spec.addresses[0]", "::", "another"),
    ("spec.addresses[0]", "fe80::1%lo", ""), ("spec.addresses[0]", "fe80::1", "zone"),
    ("spec.addresses[0]", "224.0.0.1", "unicast"), ("spec.addresses[0]", "ff02::1", "unicast"),
    ("spec.addresses[0]", "255.255.255.255", "unicast"),
    ("spec.addresses[0]", "127.96.0", ""), ("spec.addresses[0]", "127.96.0.020", ""),
    ("spec.addresses[0]", "127.96.0.20/32", ""), ("spec.addresses[0]", " 127.96.0.20", ""),
    ("spec.addresses[0]", "127.96.0.20:80", ""), ("spec.addresses[0]", "[fd00:96::1]", ""),
    ("spec.ports", GONE, "give"), ("spec.ports", [], "at least one"),
    ("spec.ports", {"port": 80}, "list"),
    ("spec.ports", [{"name": f"p{number}", "port": number} for number in range(1, 66)], "64"),
    ("spec.ports[0]", 80, "object"), ("spec.ports[0].port", GONE, "give"),
    ("spec.ports[0].port", 0, "65535"), ("spec.ports[0].port", 65536, "65535"),
    ("spec.ports[0].port", -1, "65535"), ("spec.ports[0].port", 80.0, "integer"),
    ("spec.ports[0].port", "80", "integer"), ("spec.ports[0].port", True, "integer"),
    ("spec.ports[0].port", 2 ** 63 - 1, "65535"), ("spec.ports[0].targetPort", 0, "65535"),
    ("spec.ports[0].targetPort", 65536, "65535"), ("spec.ports[0].targetPort", "http", "integer"),
    ("spec.ports[0].protocol", "tcp", "TCP"), ("spec.ports[0].protocol", "SCTP", "UDP"),
    ("spec.ports[0].name", "Http", ""), ("spec.ports[0].prot", 80, "port"),
    ("spec.ports[0].appProtocol", "http", ""), ("spec.backends", {}, "list"),
    ("spec.backends[0]", "127.0.0.2:8081", "object"), ("spec.backends[0].address", GONE, "give"),
    ("spec.backends[0].address", "127.0.0.2:0", ""),
    ("spec.backends[0].address", "127.0.0.2:65536", ""),
    ("spec.backends[0].address", "127.0.0.2:", ""), ("spec.backends[0].address", "", ""),
    ("spec.backends[0].address", "0.0.0.0:80", "another"),
    ("spec.backends[0].address", "[fe80::1%lo]:80", ""),
    ("spec.backends[0].address", "[fd00:1::1]:80", "IPv4"),
    ("spec.backends[0].address", "backend.example:80", ""),
    ("spec.backends[0].weight", -1, "1000"), ("spec.backends[0].weight", 1001, "1000"),
    ("spec.backends[0].weight", 1.5, "integer"), ("spec.backends[0].ready", "yes", "true"),
    ("spec.backends[0].terminating", 1, "true"), ("spec.backends[0].zone", "a", ""),
    ("spec.backends[0].wieght", 1, "weight"), ("spec.backends[0].ports", {"http": 80}, ""),
    ("spec.backends", [{"address": "127.0.0.2"}] * 8193, "8192"),
]


@pytest.mark.parametrize("path, value, remedy", FIELDS, ids=[
    f"{path}={'gone' if value is GONE else str(value)[:24]}" for path, value, _ in FIELDS])
def test_a_wrong_field_is_named(node, path, value, remedy):
    target = f"{SERVICES}/candidate" if path != "metadata.name" else "/v1/apply"
    method = "PUT" if path != "metadata.name" else "POST"
    answer = node.control.request(method, target, changed(GOOD, path, value))
    if remedy is None:  # the cause is one key deeper
        assert answer.status == 422 and any(f.startswith(path) for f in answer.causes), answer
    else:
        assert_refused(answer, 422, path, remedy)


POLICY_FIELDS = [
    ("spec.targetRef", GONE, "give"), ("spec.targetRef.kind", "Gateway", "LocalService"),
    ("spec.targetRef.name", GONE, "give"), ("spec.targetRef.name", "No Label", ""),
    ("spec.targetRef.prt", "x", "port"), ("spec.algorithm", "roundrobin", "RoundRobin"),
    ("spec.algorithm", "IpHash", "Random"), ("spec.algorithm", 1, "Random"),
    ("spec.noBackendErrno", "EAGAIN", "ECONNREFUSED"), ("spec.noBackendErrno", 111, ""),
    ("spec.slowStartSeconds", 3601, "3600"), ("spec.affinity.type", "IP", "ClientIP"),
    ("spec.affinity.timeoutSeconds", 0, "86400"), ("spec.outlier", [], "consecutiveFailures"),
    ("spec.probe", "TCP", "type"),
    ("spec.outlier.maxEjectedPercent", 101, "100"), ("spec.limits.connections", 0, "1"),
    ("spec.drainSeconds", -2, "-1"), ("spec.redirect", "Off", ""),
]


@pytest.mark.parametrize("path, value, remedy", POLICY_FIELDS, ids=[
    f"{path}={'gone' if value is GONE else value}" for path, value, _ in POLICY_FIELDS])
def test_a_wrong_field_of_a_policy_is_named(node, path, value, remedy):
    wrong = changed(POLICY, path, value)
    assert_refused(node.control.put(wrong, f"{POLICIES}/candidate"), 422, path, remedy)


# --- what fields owe each other -------------------------------------------------------------------
RELATIONS = {
    "the same address twice": (
        service("x", ["127.96.0.20", "127.96.0.20"], 80, []), "spec.addresses[1]"),
    "the same address in two spellings": (
        service("x", ["fd00:96::20", "fd00:96:0:0::0020"], 80, []), "spec.addresses[1]"),
    "two ports, one without a name": (
        service("x", "127.96.0.20", [{"name": "one", "port": 80}, {"port": 81}], []),
        "spec.ports[1].name"),
    "two ports of one name": (
        service("x", "127.96.0.20", [TWO_PORTS[0], {"name": "one", "port": 81}], []),
        "spec.ports[1].name"),
    "one port twice": (
        service("x", "127.96.0.20", [TWO_PORTS[0], {"name": "two", "port": 80}], []),
        "spec.ports[1].port"),
    "a port in the address, and two ports": (
        service("x", "127.96.0.20", TWO_PORTS, ["127.0.0.2:80"]), "spec.backends[0].address"),
    "a number for a port that is not there": (
        service("x", "127.96.0.20", TWO_PORTS, [{"address": "127.0.0.2", "ports": {"tow": 1}}]),
        "spec.backends[0].ports.tow"),
    "a port's number out of range": (
        service("x", "127.96.0.20", TWO_PORTS, [{"address": "127.0.0.2", "ports": {"two": 0}}]),
        "spec.backends[0].ports.two"),
    "the same backend twice": (
        service("x", "127.96.0.20", 80, ["127.0.0.2:80", "127.0.0.2"]),
        "spec.backends[1].address"),
    "an IPv6 backend behind IPv4 addresses": (
        service("x", ["127.96.0.20", "10.96.0.20"], 80, ["127.0.0.2:1", "[fd00:1::1]:1"]),
        "spec.backends[1].address"),
    "a backend that is its own frontend": (
        service("x", "127.96.0.20", 80, ["127.0.0.2:1", "127.96.0.20:80"]),
        "spec.backends[1].address"),
    "a backend that is another object's frontend": (
        service("x", "127.96.0.20", 80, ["127.96.0.10:80"]), "spec.backends[0].address"),
}


@pytest.mark.parametrize("name", RELATIONS)
def test_fields_that_do_not_go_together(node, name):
    wrong, field = RELATIONS[name]
    assert_refused(node.control.put(wrong), 422, field)


def test_a_frontend_has_one_owner(node):
    answer = node.control.put(service("thief", ["127.96.0.21", "127.96.0.10"], 80, []))
    assert_refused(answer, 409, "spec.addresses[1]", "default/web")
    answer = node.control.apply(service("one", "127.96.0.30", 80, []),
                                service("two", "127.96.0.30", 80, []))
    assert_refused(answer, 409, "lines[1].spec.addresses[0]", "default/one")
    assert node.control.apply(service("other-port", "127.96.0.10", 81, []), dry_run=True).status \
        == 200
    assert node.control.apply(service("other-protocol", "127.96.0.10", udp(80), []),
                              dry_run=True).status == 200


def test_a_frontend_must_not_be_a_backend(node):
    """The other way round: the backend was there before."""
    answer = node.control.put(service("late", "127.0.0.1", 8081, []))
    assert_refused(answer, 409, "spec.addresses[0]")


def test_an_address_may_move_within_one_request(node):
    answer = node.control.apply(service("web", "127.96.0.40", 80, ["127.0.0.1:8081"]),
                                service("next", "127.96.0.10", 80, []), dry_run=True)
    assert answer.status == 200, answer


def test_a_target_has_one_policy(node):
    answer = node.control.put(policy("second", "web", algorithm="RoundRobin"),
                              f"{POLICIES}/second")
    assert_refused(answer, 409, "spec.targetRef", "default/web")
    assert node.control.apply(policy("for-a-port", "web", port="http"), dry_run=True).status == 200


# --- all of them, and nothing of them -------------------------------------------------------------
def test_all_faults_are_told_at_once(node):
    wrong = changed(changed(changed(GOOD, "spec.ports[0].port", 0), "spec.backends[0].weight", -1),
                    "spec.addresses[0]", "::")
    wrong["spec"]["extra"] = 1
    answer = node.control.put(wrong)
    assert answer.status == 422
    assert set(answer.causes) == {"spec.ports[0].port", "spec.backends[0].weight",
                                  "spec.addresses[0]", "spec.extra"}


def test_only_the_first_twenty_faults_are_told(node):
    wrong = service("x", "127.96.0.20", 80, [{"address": "127.0.0.1", "weight": -1}] * 25)
    answer = node.control.put(wrong)
    assert answer.status == 422
    assert len(answer.json["details"]["causes"]) == 20


def test_one_wrong_object_spoils_the_whole_request(node):
    wrong = changed(GOOD, "spec.ports[0].port", 0)
    wrong["metadata"]["name"] = "wrong"
    answer = node.control.apply(GOOD, wrong)
    assert_refused(answer, 422, "lines[1].spec.ports[0].port", "line 2")
    listed = {"apiVersion": "v1", "kind": "List", "items": [GOOD, wrong]}
    answer = node.control.request("POST", "/v1/apply", listed)
    assert_refused(answer, 422, "items[1].spec.ports[0].port")
    answer = node.control.apply(GOOD, GOOD)
    assert_refused(answer, 422, "lines[1].metadata.name")


def test_a_stale_version_is_a_conflict(node):
    path = f"{SERVICES}/pair"
    current = node.control.get(path).json
    stale = {**current, "metadata": {**current["metadata"], "resourceVersion": "1000000"},
             "spec": {**current["spec"], "backends": []}}
    assert_refused(node.control.put(stale, path), 409, "metadata.resourceVersion", "again")
    missing = changed(GOOD, "metadata.resourceVersion", "1")
    assert_refused(node.control.put(missing), 409, "metadata.resourceVersion")


def test_name_and_namespace_of_the_path_count(node):
    assert_refused(node.control.put(GOOD, f"{SERVICES}/other"), 422, "metadata.name", "other")
    elsewhere = changed(GOOD, "metadata.namespace", "red")
    assert_refused(node.control.put(elsewhere), 422, "metadata.namespace", "default")
    assert_refused(node.control.put(POLICY, f"{SERVICES}/candidate"), 422, "kind", "LocalService")
    listed = {"apiVersion": "v1", "kind": "List", "items": [GOOD]}
    assert_refused(node.control.put(listed, f"{SERVICES}/candidate"), 422, "kind", "/v1/apply")


def test_post_creates_only(node):
    web = service("web", "127.96.0.10", 80, [])
    answer = node.control.request("POST", SERVICES, web)
    assert (answer.status, answer.json["reason"]) == (409, "AlreadyExists"), answer
    assert_refused(answer, 409, "metadata.name", "PUT")
