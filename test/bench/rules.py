# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Rules of kube-proxy's shape ("rule-equivalent") for nftables and iptables.

What kube-proxy writes for ClusterIP services: the same chains, maps, matches, marks and order.
Left out is what it does around the rules (listing the table before a sync, health checks, its
minimum of 1 s between syncs), so a peer built from these files is faster than the real one.
The one addition is a counter in the nftables chains of the services that are called: the proof of
the path (iptables counts by itself). Writes text only; peer.py loads it.
"""

import base64
import hashlib

from objects import NAMESPACE, SERVICE_PORT

MASQUERADE_BIT = "0x4000"

NFT_BASE = """\
add table ip kube-proxy
add set ip kube-proxy cluster-ips {{ type ipv4_addr ; }}
add set ip kube-proxy nodeport-ips {{ type ipv4_addr ; }}
add map ip kube-proxy no-endpoint-services {{ type ipv4_addr . inet_proto . inet_service : verdict ; }}
add map ip kube-proxy no-endpoint-nodeports {{ type inet_proto . inet_service : verdict ; }}
add map ip kube-proxy firewall-ips {{ type ipv4_addr . inet_proto . inet_service : verdict ; }}
add map ip kube-proxy service-ips {{ type ipv4_addr . inet_proto . inet_service : verdict ; }}
add map ip kube-proxy service-nodeports {{ type inet_proto . inet_service : verdict ; }}
add counter ip kube-proxy called
add chain ip kube-proxy mark-for-masquerade
add chain ip kube-proxy masquerading
add chain ip kube-proxy services
add chain ip kube-proxy firewall-check
add chain ip kube-proxy cluster-ips-check
add chain ip kube-proxy service-endpoints-check
add chain ip kube-proxy nodeport-endpoints-check
add chain ip kube-proxy filter-prerouting {{ type filter hook prerouting priority -110 ; }}
add chain ip kube-proxy filter-input {{ type filter hook input priority -110 ; }}
add chain ip kube-proxy filter-forward {{ type filter hook forward priority -110 ; }}
add chain ip kube-proxy filter-output {{ type filter hook output priority -110 ; }}
add chain ip kube-proxy filter-output-post-dnat {{ type filter hook output priority -90 ; }}
add chain ip kube-proxy nat-prerouting {{ type nat hook prerouting priority -100 ; }}
add chain ip kube-proxy nat-output {{ type nat hook output priority -100 ; }}
add chain ip kube-proxy nat-postrouting {{ type nat hook postrouting priority 100 ; }}
add rule ip kube-proxy mark-for-masquerade mark set mark or {bit}
add rule ip kube-proxy masquerading mark and {bit} == 0 return
add rule ip kube-proxy masquerading mark set mark xor {bit}
add rule ip kube-proxy masquerading masquerade fully-random
add rule ip kube-proxy filter-prerouting ct state new jump firewall-check
add rule ip kube-proxy filter-input ct state new jump nodeport-endpoints-check
add rule ip kube-proxy filter-input ct state new jump service-endpoints-check
add rule ip kube-proxy filter-forward ct state new jump service-endpoints-check
add rule ip kube-proxy filter-forward ct state new jump cluster-ips-check
add rule ip kube-proxy filter-output ct state new jump service-endpoints-check
add rule ip kube-proxy filter-output ct state new jump firewall-check
add rule ip kube-proxy filter-output-post-dnat ct state new jump cluster-ips-check
add rule ip kube-proxy nat-prerouting jump services
add rule ip kube-proxy nat-output jump services
add rule ip kube-proxy nat-postrouting jump masquerading
add rule ip kube-proxy nodeport-endpoints-check ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
add rule ip kube-proxy service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services
add rule ip kube-proxy firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips
add rule ip kube-proxy services ip daddr . meta l4proto . th dport vmap @service-ips
add rule ip kube-proxy services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
add rule ip kube-proxy cluster-ips-check ip daddr @cluster-ips reject
add rule ip kube-proxy cluster-ips-check ip daddr {vips} drop
"""

IPTABLES_FILTER = """\
*filter
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A INPUT -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A FORWARD -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark {bit}/{bit} -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""

IPTABLES_NAT = """\
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark {bit}
-A KUBE-POSTROUTING -m mark ! --mark {bit}/{bit} -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark {bit}
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
"""

IPTABLES_NODEPORTS = ("-A KUBE-SERVICES ! -d 127.0.0.0/8 -m comment --comment \"nodeports; last rule\""
                      " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n")


def short_hash(text, length):
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:length]


def protocol(service):
    return service.protocol.lower()


class Nft:
    """The nftables shape: a verdict map, a chain a service, a chain an endpoint."""

    def __init__(self, plan):
        self.plan = plan
        self.pods = plan.server_range.supernet(new_prefix=8)

    @staticmethod
    def service_chain(service):
        name = f"{NAMESPACE}/{service.name}/{protocol(service)}/p{SERVICE_PORT}"
        return f"service-{short_hash(name, 8)}-{name}"

    @staticmethod
    def endpoint_chain(service, address):
        name = (f"{NAMESPACE}/{service.name}/{protocol(service)}/p{SERVICE_PORT}__{address}/"
                f"{service.target_port}")
        return f"endpoint-{short_hash(name, 8)}-{name}"

    def endpoint(self, service, address):
        chain = self.endpoint_chain(service, address)
        yield f"add chain ip kube-proxy {chain}\n"
        yield f"flush chain ip kube-proxy {chain}\n"
        yield f"add rule ip kube-proxy {chain} ip saddr {address} jump mark-for-masquerade\n"
        yield (f"add rule ip kube-proxy {chain} meta l4proto {protocol(service)}"
               f" dnat to {address}:{service.target_port}\n")

    def service(self, service):
        """A service's own chain, as a sync writes it when the service changed."""
        chain = self.service_chain(service)
        targets = ", ".join(f"{place} : goto {self.endpoint_chain(service, address)}"
                            for place, address in enumerate(service.endpoints))
        counter = "counter name called " if service.is_called else ""
        yield f"add chain ip kube-proxy {chain}\n"
        yield f"flush chain ip kube-proxy {chain}\n"
        for address in service.endpoints:
            yield from self.endpoint(service, address)
        yield (f"add rule ip kube-proxy {chain} ip daddr {service.vip}"
               f" {protocol(service)} dport {SERVICE_PORT} {counter}ip saddr != {self.pods}"
               " jump mark-for-masquerade\n")
        yield (f"add rule ip kube-proxy {chain} numgen random mod {len(service.endpoints)}"
               f" vmap {{ {targets} }}\n")

    def base(self):
        yield NFT_BASE.format(bit=MASQUERADE_BIT, vips=self.plan.vip_range)

    def add(self, services):
        """Services that were not there before."""
        for service in services:
            yield from self.service(service)
            yield f"add element ip kube-proxy cluster-ips {{ {service.vip} }}\n"
            yield (f"add element ip kube-proxy service-ips {{ {service.vip} . {protocol(service)}"
                   f" . {SERVICE_PORT} : goto {self.service_chain(service)} }}\n")

    def full(self, services):
        """The first sync: everything, in one transaction."""
        yield from self.base()
        yield from self.add(services)

    def change(self, _services, changed):
        """A partial sync: one service's endpoints differ."""
        yield from self.service(changed)


class Iptables:
    """The iptables shape: one linear KUBE-SERVICES, then statistic matches."""

    def __init__(self, plan):
        self.pods = plan.server_range.supernet(new_prefix=8)

    @staticmethod
    def service_chain(service):
        name = f"{NAMESPACE}/{service.name}:p{SERVICE_PORT}{protocol(service)}"
        return f"KUBE-SVC-{short_hash(name, 16)}"

    @staticmethod
    def endpoint_chain(service, address):
        name = (f"{NAMESPACE}/{service.name}:p{SERVICE_PORT}{protocol(service)}{address}:"
                f"{service.target_port}")
        return f"KUBE-SEP-{short_hash(name, 16)}"

    def chains(self, service):
        yield f":{self.service_chain(service)} - [0:0]\n"
        for address in service.endpoints:
            yield f":{self.endpoint_chain(service, address)} - [0:0]\n"

    def jump(self, service):
        return (f"-A KUBE-SERVICES -d {service.vip}/32 -p {protocol(service)} -m comment --comment"
                f" \"{NAMESPACE}/{service.name} cluster IP\" -m {protocol(service)}"
                f" --dport {SERVICE_PORT} -j {self.service_chain(service)}\n")

    def service(self, service):
        chain = self.service_chain(service)
        comment = f"-m comment --comment \"{NAMESPACE}/{service.name}\""
        yield (f"-A {chain} ! -s {self.pods} -d {service.vip}/32 -p {protocol(service)} {comment}"
               f" -m {protocol(service)} --dport {SERVICE_PORT} -j KUBE-MARK-MASQ\n")
        left = len(service.endpoints)
        for address in service.endpoints:
            share = f" -m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
            yield f"-A {chain} {comment}{share} -j {self.endpoint_chain(service, address)}\n"
            left -= 1
        for address in service.endpoints:
            chain = self.endpoint_chain(service, address)
            yield f"-A {chain} -s {address}/32 {comment} -j KUBE-MARK-MASQ\n"
            yield (f"-A {chain} -p {protocol(service)} {comment} -m {protocol(service)}"
                   f" -j DNAT --to-destination {address}:{service.target_port}\n")

    def nat(self, services, written, base):
        """A nat table: KUBE-SERVICES whole, and the chains of the services to be written."""
        yield "*nat\n:KUBE-SERVICES - [0:0]\n"
        if base:
            yield ":KUBE-MARK-MASQ - [0:0]\n:KUBE-NODEPORTS - [0:0]\n:KUBE-POSTROUTING - [0:0]\n"
        for service in written:
            yield from self.chains(service)
        if base:
            yield IPTABLES_NAT.format(bit=MASQUERADE_BIT)
        for service in services:
            yield self.jump(service)
        yield IPTABLES_NODEPORTS
        for service in written:
            yield from self.service(service)
        yield "COMMIT\n"

    def full(self, services):
        yield IPTABLES_FILTER.format(bit=MASQUERADE_BIT)
        yield from self.nat(services, services, base=True)

    def change(self, services, changed):
        """A partial sync (KEP-3453): only the changed service, but KUBE-SERVICES whole."""
        yield from self.nat(services, [changed], base=False)


def write(path, pieces):
    with open(path, "w", encoding="ascii") as out:
        out.writelines(pieces)
    return path
