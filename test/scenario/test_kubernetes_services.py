# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Kubernetes' own tests of Services ("[sig-network] Services", "EndpointSlice", "Traffic
Distribution"), as far as they need no API server: objects on the control socket, real servers,
real sockets. The names of the tests are those that Kubernetes gives them.

  one node (lib/node.py), junctord --node-name node-a
  nginx    a b c   10.1.0.1-3:8081 and :8082, fd00:1::1-3:8081
  dnsmasq  a b     10.1.0.1-2:53 (UDP and TCP)

"A pod" is an address with a server; "a client pod" is a socket of the node.
"""

import collections
import errno
import itertools
import json
import socket

import pytest

from lib import kube
from lib.clients import connect_errno, http_name, name_at, names_at, udp_name
from lib.junctord import wait_for
from lib.kube import endpoint, port, service, slice_of
from lib.objects import policy

PODS = {"a": "10.1.0.1", "b": "10.1.0.2", "c": "10.1.0.3"}
HTTP = {"": 8081}
numbers = itertools.count(10)

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def world(node):
    node.servers.http(**{name: [f"{address}:8081", f"{address}:8082", f"[fd00:1::{i}]:8081"]
                         for i, (name, address) in enumerate(PODS.items(), 1)})
    node.servers.dns("a", PODS["a"])
    node.servers.dns("b", PODS["b"])


@pytest.fixture(scope="module")
def node(module_machine):
    from lib.node import Node
    host = Node(module_machine, "node-a")
    host.junctord.start(node_name="node-a")
    return host


@pytest.fixture
def name():
    return f"svc-{next(numbers)}"


@pytest.fixture
def vip(name):
    return f"10.96.1.{name.rpartition('-')[2]}"


def pods(*names, **conditions):
    return [endpoint(PODS[one], **conditions) for one in names]


def reached(node, vip, number=80, count=24):
    """Who answers so many connections."""
    return "".join(sorted(names_at(node, vip, number, count)))


def dns_at(node, address, number=53, family=socket.AF_INET):
    """Who answers an unconnected UDP socket; an errno's name."""
    with node.udp(family) as client:
        client.settimeout(2)
        try:
            return udp_name(client, (address, number))[0]
        except OSError as error:
            return errno.errorcode[error.errno]


def status_of(node, name):
    return node.control.get(f"{kube.SERVICES}/{name}").json["status"]


# --- endpoints ------------------------------------------------------------------------------------
def test_should_serve_a_basic_endpoint_from_pods(node, name, vip):
    node.control.declare(service(name, vip, [80]))
    assert connect_errno(node, vip) == errno.ECONNREFUSED
    for has in ("a", "ab", "b"):
        node.control.declare(slice_of(name, pods(*has), HTTP))
        assert reached(node, vip) == has
    node.control.remove(f"{kube.SLICES}/{name}-abcde")
    assert connect_errno(node, vip) == errno.ECONNREFUSED


def test_should_serve_multiport_endpoints_from_pods(node, name, vip):
    """Two named ports, each on another pod."""
    node.control.declare(
        service(name, vip, [port(80, "one"), port(81, "two")]),
        slice_of(name, pods("a"), {"one": 8081}),
        slice_of(name, pods("b"), {"two": 8082}, name=f"{name}-two"))
    assert (reached(node, vip, 80), reached(node, vip, 81)) == ("a", "b")


def test_should_be_updated_after_adding_or_deleting_ports(node, name, vip):
    one, two = port(80, "one"), port(81, "two")
    node.control.declare(service(name, vip, [one]),
                         slice_of(name, pods("a"), {"one": 8081, "two": 8082}))
    assert (reached(node, vip, 80), connect_errno(node, vip, 81) != 0) == ("a", True)
    node.control.declare(service(name, vip, [one, two]))
    assert (reached(node, vip, 80), reached(node, vip, 81)) == ("a", "a")
    node.control.declare(service(name, vip, [two]))
    assert (connect_errno(node, vip, 80) != 0, reached(node, vip, 81)) == (True, "a")


def test_should_be_able_to_up_and_down_services(node, name, vip):
    others = {f"{name}-{i}": f"10.96.2.{next(numbers)}" for i in range(3)}
    for one, address in others.items():
        node.control.declare(service(one, address, [80]), slice_of(one, pods("a", "b"), HTTP))
    gone, *left = others
    node.control.remove(f"{kube.SERVICES}/{gone}")
    assert connect_errno(node, others[gone]) != 0
    assert [reached(node, others[one]) for one in left] == ["ab", "ab"]
    node.control.declare(service(name, vip, [80]), slice_of(name, pods("c"), HTTP))
    assert reached(node, vip) == "c"


def test_should_work_after_the_service_has_been_recreated(node, name, vip):
    node.control.declare(service(name, vip, [80]), slice_of(name, pods("a"), HTTP))
    assert reached(node, vip) == "a"
    node.control.remove(f"{kube.SERVICES}/{name}")
    assert connect_errno(node, vip) != 0
    other = f"10.96.3.{name.rpartition('-')[2]}"
    node.control.declare(service(name, other, [80]))
    assert reached(node, other) == "a"
    assert connect_errno(node, vip) != 0


def test_should_be_rejected_when_no_endpoints_exist(node, name, vip):
    node.control.declare(service(name, vip, [80, port(53, "dns", "UDP")][:1]))
    assert connect_errno(node, vip) == errno.ECONNREFUSED
    assert status_of(node, name)["reason"] == "NoEndpoint"
    node.control.declare(service(name, vip, [port(53, protocol="UDP")]))
    assert dns_at(node, vip) == "ECONNREFUSED"


def test_should_be_rejected_for_evicted_pods_no_endpoints_exist(node, name, vip):
    node.control.declare(service(name, vip, [80], publishNotReadyAddresses=True),
                         slice_of(name, pods("a", ready=False, serving=False), HTTP))
    assert connect_errno(node, vip) == errno.ECONNREFUSED


def test_should_serve_endpoints_on_same_port_and_different_protocols(node, name, vip):
    tcp, udp = port(53, "tcp"), port(53, "udp", "UDP")
    node.control.declare(service(name, vip, [tcp, udp]),
                         slice_of(name, pods("a"), {"tcp": 8081, "udp": (53, "UDP")}))
    assert (reached(node, vip, 53), dns_at(node, vip)) == ("a", "a")
    node.control.declare(service(name, vip, [tcp]))
    assert reached(node, vip, 53) == "a" and dns_at(node, vip) != "a"
    node.control.declare(service(name, vip, [udp]))
    assert connect_errno(node, vip, 53) != 0 and dns_at(node, vip) == "a"


def test_should_update_endpoints_udp(node, name, vip):
    node.control.declare(service(name, vip, [port(53, protocol="UDP")]),
                         slice_of(name, pods("a", "b"), {"": (53, "UDP")}))
    assert {dns_at(node, vip) for _ in range(24)} == {"a", "b"}
    node.control.declare(slice_of(name, pods("b"), {"": (53, "UDP")}))
    assert {dns_at(node, vip) for _ in range(24)} == {"b"}


def test_should_function_for_multiple_endpoint_services_with_same_selector(node, name, vip):
    second, other = f"{name}-second", f"10.96.4.{name.rpartition('-')[2]}"
    node.control.declare(service(name, vip, [80]), slice_of(name, pods("a", "b"), HTTP),
                         service(second, other, [80]), slice_of(second, pods("a", "b"), HTTP))
    assert (reached(node, vip), reached(node, other)) == ("ab", "ab")
    node.control.remove(f"{kube.SERVICES}/{second}")
    assert reached(node, vip) == "ab" and connect_errno(node, other) != 0


# --- types ----------------------------------------------------------------------------------------
def test_should_be_able_to_change_the_type_from_externalname_to_clusterip(node, name, vip):
    external = service(name, None, [], type="ExternalName", externalName="foo.example.com")
    node.control.declare(external, slice_of(name, pods("a"), HTTP))
    assert connect_errno(node, vip) != 0
    assert status_of(node, name)["reason"] == "ExternalName"
    node.control.declare(service(name, vip, [80]))
    assert reached(node, vip) == "a"
    node.control.declare(external)
    assert connect_errno(node, vip) != 0


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_other_types_have_a_cluster_address_too(node, name, vip, kind):
    node.control.declare(service(name, vip, [{**port(80), "nodePort": 30080}], type=kind,
                                 externalTrafficPolicy="Cluster"),
                         slice_of(name, pods("a"), HTTP))
    assert reached(node, vip) == "a"


@pytest.mark.parametrize("label, reason", [
    ("service.kubernetes.io/service-proxy-name", "OtherProxy"),
    ("service.kubernetes.io/headless", "Headless")])
def test_should_implement_service_proxy_name_and_headless(node, name, vip, label, reason):
    """A labelled service is never up; one that gets the label goes down, and up without it."""
    slices = slice_of(name, pods("a"), HTTP)
    node.control.declare(service(name, vip, [80], labels={label: "foo"}), slices)
    assert connect_errno(node, vip) != 0
    assert status_of(node, name)["reason"] == reason
    node.control.declare(service(name, vip, [80]))
    assert reached(node, vip) == "a"
    node.control.declare(service(name, vip, [80], labels={label: ""}))
    assert connect_errno(node, vip) != 0
    node.control.declare(service(name, vip, [80]))
    assert reached(node, vip) == "a"


def test_a_headless_service_has_no_address(node, name, vip):
    node.control.declare(service(name, "None", [80]), slice_of(name, pods("a"), HTTP))
    assert status_of(node, name)["reason"] == "Headless"
    node.control.declare(service(name, vip, [80]))
    assert reached(node, vip) == "a"


def test_should_allow_creating_a_basic_sctp_service_with_pod_and_endpoints(node, name, vip):
    """It is taken and told that it is not programmed; its other ports are."""
    node.control.declare(service(name, vip, [port(80, "http"), port(80, "s", "SCTP")]),
                         slice_of(name, pods("a"), {"http": 8081, "s": (8081, "SCTP")}))
    assert reached(node, vip) == "a"
    assert status_of(node, name)["reason"] == "SctpNotProgrammed"


# --- readiness ------------------------------------------------------------------------------------
def test_should_create_endpoints_for_unready_pods(node, name, vip):
    """publishNotReadyAddresses is the control plane's: it says ready for them."""
    node.control.declare(service(name, vip, [80], publishNotReadyAddresses=True),
                         slice_of(name, pods("a", ready=True, serving=False), HTTP))
    assert reached(node, vip) == "a"
    node.control.declare(service(name, vip, [80], publishNotReadyAddresses=False),
                         slice_of(name, pods("a", ready=False, serving=False), HTTP))
    assert connect_errno(node, vip) == errno.ECONNREFUSED
    node.control.declare(
        service(name, vip, [80], publishNotReadyAddresses=True),
        slice_of(name, pods("a", ready=True, serving=False, terminating=True), HTTP))
    assert reached(node, vip) == "a"


def test_should_not_be_able_to_connect_to_terminating_and_unready_endpoints(node, name, vip):
    """... if PublishNotReadyAddresses is false"""
    node.control.declare(
        service(name, vip, [80]),
        slice_of(name, pods("a", ready=False, serving=False, terminating=True), HTTP))
    assert connect_errno(node, vip) == errno.ECONNREFUSED


def test_should_fallback_to_terminating_endpoints_when_there_are_no_ready_endpoints_cluster(
        node, name, vip):
    """... with internalTrafficPolicy=Cluster: of whatever node."""
    leaving = {"ready": False, "serving": True, "terminating": True}
    node.control.declare(service(name, vip, [80]),
                         slice_of(name, [endpoint(PODS["a"], node="node-a", **leaving),
                                         endpoint(PODS["b"], node="node-b", **leaving),
                                         endpoint(PODS["c"], ready=True)], HTTP))
    assert reached(node, vip) == "c"
    node.control.declare(slice_of(name, [endpoint(PODS["a"], node="node-a", **leaving),
                                         endpoint(PODS["b"], node="node-b", **leaving)], HTTP))
    assert reached(node, vip) == "ab"
    assert status_of(node, name)["backends"]["terminating"] == 2


def test_established_connections_of_a_terminating_endpoint_go_on(node, name, vip):
    node.control.declare(service(name, vip, [80]), slice_of(name, pods("a"), HTTP))
    with node.tcp() as client:
        client.connect((vip, 80))
        node.control.declare(slice_of(name, pods("a", ready=False, serving=True, terminating=True)
                                      + pods("b"), HTTP))
        assert reached(node, vip) == "b"
        assert http_name(client) == "a"


@pytest.mark.parametrize("policy_", ["Cluster", "Local"])
def test_should_be_able_to_preserve_udp_traffic_when_server_pod_cycles_for_a_clusterip_service(
        node, name, vip, policy_):
    """... with InternalTrafficPolicy set to either: the client keeps its socket all the time."""
    ports = {"": (53, "UDP")}
    node.control.declare(
        service(name, vip, [port(53, protocol="UDP")], internalTrafficPolicy=policy_),
        slice_of(name, [endpoint(PODS["a"], node="node-a")], ports))
    with node.udp() as client, node.udp() as connected:
        connected.connect((vip, 53))
        assert (udp_name(client, (vip, 53))[0], udp_name(connected)[0]) == ("a", "a")
        node.control.declare(slice_of(name, [endpoint(PODS["b"], node="node-a")], ports))
        assert udp_name(client, (vip, 53)) == ("b", (vip, 53))
        wait_for(lambda: errno_of(connected) == errno.ECONNABORTED, "the socket is not ended")


def errno_of(client):
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def test_should_be_able_to_preserve_udp_traffic_when_initial_unready_endpoints_get_ready(
        node, name, vip):
    ports = {"": (53, "UDP")}
    node.control.declare(
        service(name, vip, [port(53, protocol="UDP")]),
        slice_of(name, pods("a", ready=False, serving=False), ports))
    with node.udp() as client:
        with pytest.raises(OSError) as refused:
            client.sendto(b"x", (vip, 53))
        assert refused.value.errno == errno.ECONNREFUSED
        node.control.declare(slice_of(name, pods("a"), ports))
        assert udp_name(client, (vip, 53))[0] == "a"


# --- slices ---------------------------------------------------------------------------------------
def test_should_support_a_service_with_multiple_ports_specified_in_multiple_endpointslices(
        node, name, vip):
    node.control.declare(service(name, vip, [port(80, "one"), port(81, "two")]),
                         slice_of(name, pods("a"), {"one": 8081}, name=f"{name}-1"),
                         slice_of(name, pods("b"), {"two": 8082}, name=f"{name}-2"),
                         slice_of(name, pods("c"), {"one": 8082, "two": 8081}, name=f"{name}-3"))
    assert (reached(node, vip, 80), reached(node, vip, 81)) == ("ac", "bc")


def test_should_support_a_service_with_multiple_endpoint_ips_specified_in_multiple_endpointslices(
        node, name, vip):
    node.control.declare(service(name, vip, [80]),
                         slice_of(name, pods("a"), HTTP, name=f"{name}-1"),
                         slice_of(name, pods("b"), HTTP, name=f"{name}-2"))
    assert reached(node, vip) == "ab"


def test_an_endpoint_in_two_slices_stays_until_both_are_gone(node, name, vip):
    node.control.declare(service(name, vip, [80]),
                         slice_of(name, pods("a", "b"), HTTP, name=f"{name}-1"),
                         slice_of(name, pods("a"), HTTP, name=f"{name}-2"))
    node.control.remove(f"{kube.SLICES}/{name}-1")
    assert reached(node, vip) == "a"
    node.control.remove(f"{kube.SLICES}/{name}-2")
    assert connect_errno(node, vip) == errno.ECONNREFUSED


def test_slices_before_their_service(node, name, vip):
    node.control.declare(slice_of(name, pods("a"), HTTP))
    node.control.declare(service(name, vip, [80]))
    assert reached(node, vip) == "a"


# --- families -------------------------------------------------------------------------------------
def test_dual_stack(node, name, vip):
    six = f"fd00:96::{name.rpartition('-')[2]}"
    node.control.declare(
        service(name, [vip, six], [80], ipFamilies=["IPv4", "IPv6"],
                ipFamilyPolicy="RequireDualStack"),
        slice_of(name, pods("a"), HTTP),
        slice_of(name, ["fd00:1::2"], HTTP, name=f"{name}-six"))
    assert (reached(node, vip), reached(node, six)) == ("a", "b")
    node.control.remove(f"{kube.SLICES}/{name}-six")
    assert reached(node, vip) == "a"
    assert connect_errno(node, six) == errno.ECONNREFUSED, "a v6 address uses v6 slices only"


# --- affinity -------------------------------------------------------------------------------------
def test_should_have_session_affinity_work_for_service_with_type_clusterip(node, name, vip):
    node.control.declare(service(name, vip, [80], sessionAffinity="ClientIP"),
                         slice_of(name, pods("a", "b", "c"), HTTP))
    assert len(names_at(node, vip, 80, 15)) == 1


def test_should_be_able_to_switch_session_affinity_for_service_with_type_clusterip(
        node, name, vip):
    node.control.declare(service(name, vip, [80]), slice_of(name, pods("a", "b", "c"), HTTP))
    assert reached(node, vip, count=48) == "abc"
    node.control.declare(service(name, vip, [80], sessionAffinity="ClientIP",
                                 sessionAffinityConfig={"clientIP": {"timeoutSeconds": 600}}))
    assert len(names_at(node, vip, 80, 15)) == 1
    node.control.declare(service(name, vip, [80]))
    assert reached(node, vip, count=48) == "abc"


def test_a_policy_without_affinity_takes_that_of_its_service_away(node, name, vip):
    node.control.declare(service(name, vip, [80], sessionAffinity="ClientIP"),
                         slice_of(name, pods("a", "b", "c"), HTTP),
                         policy(name, name, kind="Service"))
    assert len(names_at(node, vip, 80, 15)) == 1
    node.control.declare(policy(name, name, kind="Service", affinity={"type": "None"}))
    assert reached(node, vip, count=48) == "abc"


# --- policies of ours -----------------------------------------------------------------------------
def test_a_traffic_policy_governs_a_service(node, name, vip):
    node.control.declare(service(name, vip, [80]), slice_of(name, pods("a", "b", "c"), HTTP))
    node.control.declare(policy(name, name, kind="Service", algorithm="RoundRobin",
                                noBackendErrno="EPERM"))
    assert names_at(node, vip, 80, 30) == collections.Counter(a=10, b=10, c=10)
    node.control.declare(slice_of(name, [], HTTP))
    assert connect_errno(node, vip) == errno.EPERM
    local = policy(name, name, algorithm="RoundRobin", noBackendErrno="EPERM")
    node.control.declare(local)
    assert connect_errno(node, vip) == errno.ECONNREFUSED, "the policy is for a LocalService now"
    answer = node.control.get(f"/apis/junctor.dev/v1alpha1/trafficpolicies/{name}")
    assert answer.json["status"]["reason"] == "TargetNotFound"


# --- life cycle -----------------------------------------------------------------------------------
def test_should_work_after_restarting_kube_proxy(node, name, vip):
    """The daemon is killed, starts again, and nothing is different."""
    node.control.declare(service(name, vip, [80]), slice_of(name, pods("a", "b"), HTTP))
    node.junctord.kill()
    assert reached(node, vip) == "ab"
    node.junctord.start(node_name="node-a")
    assert reached(node, vip) == "ab"
    assert node.control.status()["degraded"] == []
    node.control.declare(slice_of(name, pods("c"), HTTP))
    assert reached(node, vip) == "c"


def test_should_complete_a_service_status_lifecycle(node, name, vip):
    """Create, read, list, replace, delete; what is read can be written back."""
    target = f"{kube.SERVICES}/{name}"
    assert node.control.request("POST", kube.SERVICES, service(name, vip, [80])).status == 201
    assert node.control.request("POST", kube.SERVICES, service(name, vip, [80])).status == 409
    read = node.control.get(target)
    assert read.status == 200 and read.json["spec"]["clusterIPs"] == [vip]
    again = node.control.put(read.json, target)
    assert (again.status, again.headers["Junctor-Generation"]) == (
        200, read.headers["Junctor-Generation"]), "nothing has changed"
    listed = node.control.get("/api/v1/services").json
    assert (listed["kind"], listed["apiVersion"]) == ("ServiceList", "v1")
    assert name in [one["metadata"]["name"] for one in listed["items"]]
    stale = service(name, vip, [81])
    stale["metadata"]["resourceVersion"] = "1"
    assert node.control.put(stale, target).status == 409
    assert node.control.delete(target).status == 200
    assert node.control.get(target).status == 404


def test_endpointslice_and_node_life_cycle(node, name):
    for target, one in ((kube.SLICES, slice_of(name, pods("a"), HTTP, name=f"{name}.x")),
                        (kube.NODES, kube.node(f"{name}.example.com", "z1"))):
        path = f"{target}/{one['metadata']['name']}"
        assert node.control.put(one, path).status == 201
        assert node.control.put(node.control.get(path).json, path).status == 200
        assert one["metadata"]["name"] in [item["metadata"]["name"]
                                           for item in node.control.get(target).json["items"]]
        assert node.control.delete(path).status == 200
        assert node.control.get(path).status == 404


# --- what is refused ------------------------------------------------------------------------------
def test_an_endpoint_that_is_a_service_address_is_refused(node, name, vip):
    node.control.declare(service(name, vip, [80]))
    answer = node.control.apply(slice_of(name, [vip], {"": 80}))
    assert answer.status == 422, answer
    assert "is a service address" in str(answer.causes)


def test_a_misspelt_field_of_kubernetes_is_refused_with_its_spelling(node, name, vip):
    answer = node.control.apply(service(name, vip, [80], internalTraficPolicy="Local",
                                        selectr={"a": "b"}, somethingElse=1))
    assert answer.status == 422, answer
    causes = {field.rpartition(".")[2]: cause for field, cause in answer.causes.items()}
    assert "internalTrafficPolicy" in causes["internalTraficPolicy"]["message"]
    assert "selector" in causes["selectr"]["message"]
    assert causes["somethingElse"]["reason"] == "FieldUnknown"


def test_one_name_is_one_service(node, name, vip):
    from lib import objects
    node.control.declare(objects.service(name, f"127.96.9.{name.rpartition('-')[2]}", 80, []))
    answer = node.control.apply(service(name, vip, [80]))
    assert answer.status == 409, answer
    assert "LocalService default/" in str(answer.json)


def test_names_of_endpoints_can_be_asked_in_metrics(node, name, vip):
    node.control.declare(service(name, vip, [80]), slice_of(name, pods("a", "b"), HTTP))
    assert node.control.counter("junctor_service_endpoints", service=name) == 2
    name_at(node, vip)
    assert node.control.counter("junctor_service_forwarded_total", service=name) == 1


# --- files ----------------------------------------------------------------------------------------
def test_slices_of_a_file_are_whole_after_a_restart(bare_node):
    """The row of a slice says whose it is in a field that Kubernetes' slices do not have."""
    folder = bare_node.folder / "services.d"
    folder.mkdir()
    bare_node.servers.http(a="10.1.0.1:8081", b="10.1.0.2:8081")
    for one in (service("web", "10.96.0.10", [80]), slice_of("web", pods("a", "b"), HTTP),
                kube.node("node-a", "z1")):
        (folder / f"{one['kind'].lower()}.json").write_text(json.dumps(one), encoding="utf-8")
    bare_node.junctord.start(services_dir=folder, node_name="node-a")
    assert reached(bare_node, "10.96.0.10") == "ab"
    read = bare_node.control.get(f"{kube.SLICES}/web-abcde").json
    assert (read["status"]["source"], read["status"]["file"]) == ("file", "endpointslice.json")
    generation = bare_node.control.status()["generation"]
    bare_node.junctord.restart(services_dir=folder, node_name="node-a")
    after = bare_node.control.status()
    assert (after["degraded"], after["generation"]) == ([], generation)
    assert bare_node.control.get(f"{kube.SLICES}/web-abcde").json == read
    assert reached(bare_node, "10.96.0.10") == "ab"
