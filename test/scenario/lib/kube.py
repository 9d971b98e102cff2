# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Kubernetes' objects as its API server answers them, with what of it no proxy needs.

Nothing is checked here: wrong objects are written with it, too.
"""

SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
NODES = "/api/v1/nodes"


def metadata_of(name, namespace="default", labels=None):
    metadata = {"name": name, "namespace": namespace, "uid": "4c0c5b1c-0000-0000-0000-000000000000",
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": []}
    if labels:
        metadata["labels"] = labels
    return metadata


def port(number, name=None, protocol="TCP", target=None):
    """A port of a Service."""
    has = {"port": number, "protocol": protocol, "targetPort": target or number}
    if name is not None:
        has["name"] = name
    return has


def service(name, address, ports, namespace="default", labels=None, **spec):
    """address: one, a list of two, "None" or None; ports: numbers or port()."""
    addresses = [address] if isinstance(address, str) else list(address or [])
    whole = {"type": "ClusterIP", "selector": {"app": name}, "sessionAffinity": "None",
             "internalTrafficPolicy": "Cluster", "ipFamilyPolicy": "SingleStack",
             "ports": [port(one) if isinstance(one, int) else one for one in ports], **spec}
    if addresses:
        whole |= {"clusterIP": addresses[0], "clusterIPs": addresses}
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": metadata_of(name, namespace, labels), "spec": whole,
            "status": {"loadBalancer": {}}}


def endpoint(address, node=None, zones=None, nodes=None, **conditions):
    """conditions: ready, serving, terminating; what is not named is null."""
    has = {"addresses": [address], "conditions": conditions,
           "targetRef": {"kind": "Pod", "name": "pod", "namespace": "default"}}
    hints = {}
    if node:
        has["nodeName"] = node
    if zones:
        hints["forZones"] = [{"name": zone} for zone in zones]
    if nodes:
        hints["forNodes"] = [{"name": one} for one in nodes]
    if hints:
        has["hints"] = hints
    return has


def slice_of(of, endpoints, ports, name=None, namespace="default", labels=None):
    """of: the Service; ports: {port name: number or (number, protocol)}."""
    endpoints = [endpoint(one) if isinstance(one, str) else one for one in endpoints]
    is_v6 = any(":" in address for one in endpoints for address in one["addresses"])
    ports = {key: value if isinstance(value, tuple) else (value, "TCP")
             for key, value in ports.items()}
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": metadata_of(name or f"{of}-abcde", namespace,
                                    {"kubernetes.io/service-name": of, **(labels or {})}),
            "addressType": "IPv6" if is_v6 else "IPv4", "endpoints": endpoints,
            "ports": [{"name": key, "port": number, "protocol": protocol}
                      for key, (number, protocol) in ports.items()]}


def node(name, zone=None):
    metadata = metadata_of(name, labels={"topology.kubernetes.io/zone": zone} if zone else None)
    del metadata["namespace"]
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata,
            "spec": {"podCIDR": "10.1.0.0/24"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.1.0.1"}]}}
