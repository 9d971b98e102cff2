# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Where a client is matters: internalTrafficPolicy and topology, on two nodes in two zones.

  node-a, zone z1     junctord --node-name node-a      the same nginx on each:
  node-b, zone z2     junctord --node-name node-b      a b c at 10.1.0.1-3:8081

  Both are given the same objects, as an API server would; a client of a node is a socket in it.
  An endpoint "of node-b" is told so by its nodeName and hints: every address is reached from both.
"""

import errno
import time

import pytest

from lib import kube
from lib.clients import connect_errno, http_name, names_at
from lib.kube import endpoint, service, slice_of
from lib.node import Node

ZONES = {"node-a": "z1", "node-b": "z2"}
PODS = {"a": "10.1.0.1", "b": "10.1.0.2", "c": "10.1.0.3"}
HTTP = {"": 8081}
VIP = "10.96.0.10"
LEAVING = {"ready": False, "serving": True, "terminating": True}


@pytest.fixture(scope="module")
def hosts(module_machine):
    made = {name: Node(module_machine, name) for name in ZONES}
    for name, host in made.items():
        host.servers.http(**{pod: f"{address}:8081" for pod, address in PODS.items()})
        host.junctord.start(node_name=name)
        host.control.declare(*(kube.node(one, zone) for one, zone in ZONES.items()))
    return made


@pytest.fixture
def declare(hosts):
    def on_all(*objects):
        for host in hosts.values():
            host.control.declare(*objects)
    return on_all


@pytest.fixture
def reached(hosts):
    """{node: who answers its clients, or what connect() fails with}"""
    def ask(count=24):
        answers = {}
        for name, host in hosts.items():
            error = connect_errno(host, VIP)
            answers[name] = errno.errorcode[error] if error else \
                "".join(sorted(names_at(host, VIP, 80, count)))
        return answers["node-a"], answers["node-b"]
    return ask


def local(**spec):
    return service("web", VIP, [80], internalTrafficPolicy="Local", **spec)


def reasons(host):
    return {labels["reason"]: value for name, labels, value in host.control.metrics()
            if name == "junctor_decisions_total"}


# --- internalTrafficPolicy ------------------------------------------------------------------------
def test_should_respect_internaltrafficpolicy_local_pod_to_pod(declare, reached, hosts):
    declare(local(), slice_of("web", [endpoint(PODS["a"], node="node-a")], HTTP))
    before = reasons(hosts["node-b"])
    assert reached() == ("a", "EHOSTUNREACH")
    after = reasons(hosts["node-b"])
    assert after["NoLocalEndpoint"] == before["NoLocalEndpoint"] + 1
    assert after["NoEndpoint"] == before["NoEndpoint"]
    status = hosts["node-b"].control.get(f"{kube.SERVICES}/web").json["status"]
    assert (status["reason"], status["backends"]["noNewConnections"]) == ("NoLocalEndpoint", 1)
    declare(service("web", VIP, [80]))
    assert reached() == ("a", "a")
    declare(local(), slice_of("web", [], HTTP))
    assert reached() == ("ECONNREFUSED", "ECONNREFUSED"), "nowhere is not elsewhere"


def test_should_fallback_to_local_terminating_endpoints_internaltrafficpolicy_local(
        declare, reached):
    """... when there are no ready endpoints with internalTrafficPolicy=Local"""
    declare(local(), slice_of("web", [endpoint(PODS["a"], node="node-a", **LEAVING),
                                      endpoint(PODS["b"], node="node-b")], HTTP))
    assert reached() == ("a", "b")
    declare(slice_of("web", [endpoint(PODS["a"], node="node-a", **LEAVING),
                             endpoint(PODS["c"], node="node-a"),
                             endpoint(PODS["b"], node="node-b", ready=False)], HTTP))
    assert reached() == ("c", "EHOSTUNREACH")


def test_an_endpoint_that_moves_away_keeps_its_connections(declare, reached, hosts):
    declare(local(), slice_of("web", [endpoint(PODS["a"], node="node-a")], HTTP))
    with hosts["node-a"].tcp() as client:
        client.connect((VIP, 80))
        declare(slice_of("web", [endpoint(PODS["a"], node="node-b")], HTTP))
        assert reached() == ("EHOSTUNREACH", "a")
        assert http_name(client) == "a"


# --- topology -------------------------------------------------------------------------------------
def test_should_route_traffic_to_an_endpoint_in_the_same_zone_when_using_prefersamezone(
        declare, reached):
    declare(service("web", VIP, [80], trafficDistribution="PreferSameZone"),
            slice_of("web", [endpoint(PODS["a"], zones=["z1"]), endpoint(PODS["b"], zones=["z2"])],
                     HTTP))
    assert reached() == ("a", "b")


def test_should_route_traffic_correctly_between_pods_on_multiple_nodes_when_using_prefersamezone(
        declare, reached):
    """A client in a zone without endpoints uses all."""
    declare(service("web", VIP, [80]),
            slice_of("web", [endpoint(PODS["a"], zones=["z1"]), endpoint(PODS["b"], zones=["z1"]),
                             endpoint(PODS["c"], zones=["z3"])], HTTP))
    assert reached() == ("ab", "abc")


def test_prefersamenode_before_prefersamezone(declare, reached):
    declare(service("web", VIP, [80], trafficDistribution="PreferSameNode"),
            slice_of("web", [endpoint(PODS["a"], zones=["z1"], nodes=["node-a"]),
                             endpoint(PODS["b"], zones=["z1"], nodes=["node-c"]),
                             endpoint(PODS["c"], zones=["z2"], nodes=["node-d"])], HTTP))
    assert reached() == ("a", "c"), "node-b has none of its own: its zone"


def test_one_endpoint_without_a_hint_takes_topology_out(declare, reached):
    declare(service("web", VIP, [80]),
            slice_of("web", [endpoint(PODS["a"], zones=["z1"]), endpoint(PODS["b"])], HTTP))
    assert reached() == ("ab", "ab")


def test_a_node_that_changes_its_zone(declare, reached, hosts):
    declare(service("web", VIP, [80]),
            slice_of("web", [endpoint(PODS["a"], zones=["z1"]), endpoint(PODS["b"], zones=["z2"])],
                     HTTP))
    declare(kube.node("node-b", "z1"))
    assert reached() == ("a", "a")
    hosts["node-b"].junctord.restart(node_name="node-b")
    assert reached() == ("a", "a")
    declare(kube.node("node-b", "z2"))
    assert reached() == ("a", "b")
    for host in hosts.values():
        host.control.remove(f"{kube.NODES}/node-b")
    assert reached() == ("a", "ab"), "without a Node there is no zone"
    declare(kube.node("node-b", "z2"))


def test_a_junctord_that_is_another_node(declare, reached, hosts):
    declare(local(), slice_of("web", [endpoint(PODS["a"], node="node-a")], HTTP))
    hosts["node-b"].junctord.restart(node_name="node-a")
    assert reached() == ("a", "a")
    hosts["node-b"].junctord.restart(node_name="node-b")
    assert reached() == ("a", "EHOSTUNREACH")


# --- clients --------------------------------------------------------------------------------------
def test_should_preserve_source_pod_ip_for_traffic_thru_service_cluster_ip(declare, hosts):
    for name, host in hosts.items():
        with host.tcp() as server, host.tcp() as client:
            server.bind((PODS["b"], 0))
            server.listen()
            declare(service("web", VIP, [80]),
                    slice_of("web", [PODS["b"]], {"": server.getsockname()[1]}))
            client.bind((PODS["c"], 0))
            client.connect((VIP, 80))
            accepted, source = server.accept()
            accepted.close()
            assert source == client.getsockname() and source[0] == PODS["c"], name


def test_should_allow_pods_to_hairpin_back_to_themselves_through_services(declare, hosts):
    declare(service("web", VIP, [80]), slice_of("web", [PODS["a"]], HTTP))
    with hosts["node-a"].tcp() as pod:
        pod.bind((PODS["a"], 0))
        pod.connect((VIP, 80))
        assert http_name(pod) == "a"
        assert pod.getpeername() == (VIP, 80)


def test_should_have_session_affinity_timeout_work_for_service_with_type_clusterip(
        declare, hosts):
    """... changes its backend after the timeout, in ten tries; by chance it does not in 1 of 20,000"""
    declare(service("web", VIP, [80], sessionAffinity="ClientIP",
                    sessionAffinityConfig={"clientIP": {"timeoutSeconds": 1}}),
            slice_of("web", list(PODS.values()), HTTP))
    assert len(names_at(hosts["node-a"], VIP, 80, 15)) == 1
    seen = set()
    for _ in range(10):
        time.sleep(1.1)
        seen |= set(names_at(hosts["node-a"], VIP, 80, 1))
        if len(seen) > 1:
            return
    raise AssertionError(f"{seen} keeps the client")
