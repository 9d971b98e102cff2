# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Objects as a user writes them. Nothing is checked here: wrong objects are written with it, too."""

API = "junctor.dev/v1alpha1"
SERVICES = "/apis/junctor.dev/v1alpha1/namespaces/default/localservices"
POLICIES = "/apis/junctor.dev/v1alpha1/namespaces/default/trafficpolicies"


def metadata_of(name, namespace, extra):
    return {"name": name, **({"namespace": namespace} if namespace else {}), **extra}


def service(name, addresses, ports, backends, namespace=None, **metadata):
    """ports: one number, or a list of ports; backends: texts, or whole backends."""
    if isinstance(addresses, str):
        addresses = [addresses]
    if isinstance(ports, int):
        ports = [{"port": ports}]
    backends = [{"address": one} if isinstance(one, str) else one for one in backends]
    return {"apiVersion": API, "kind": "LocalService",
            "metadata": metadata_of(name, namespace, metadata),
            "spec": {"addresses": list(addresses), "ports": list(ports), "backends": backends}}


def udp(port, **more):
    return [{"port": port, "protocol": "UDP", **more}]


def policy(name, target, namespace=None, port=None, kind="LocalService", **spec):
    reference = {"kind": kind, "name": target, **({"port": port} if port else {})}
    return {"apiVersion": API, "kind": "TrafficPolicy",
            "metadata": metadata_of(name, namespace, {}),
            "spec": {"targetRef": reference, **spec}}


def backend(address, **fields):
    return {"address": address, **fields}
