# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Real servers in a node. Each nginx and each dnsmasq says who it is.

  nginx     GET /          its name                 (any number of names in one process)
            GET /health    200, or 503 while it is sick
            GET /big       64 KiB, known by its hash
  dnsmasq   who.test TXT   its name                 (UDP and TCP)
  redis     SET, GET
"""

import hashlib
import os
import subprocess

from lib.junctord import wait_for

SERVERS = {"a": "127.0.0.1:8081", "b": "127.0.0.2:8081", "c": "127.0.0.3:8081"}

BIG = os.urandom(1 << 16).hex()[:1 << 16].encode()
BIG_SHA256 = hashlib.sha256(BIG).hexdigest()

NGINX = """
daemon off; user root; worker_processes 1; worker_rlimit_nofile 16384; pid {folder}/nginx-{tag}.pid;
error_log {folder}/nginx-{tag}.log;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_timeout 600; keepalive_requests 1000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    {servers}
}}
"""
NGINX_SERVER = """
    server {{
        {listens}
        location / {{ return 200 "{name}\\n"; }}
        location /health {{ if (-f {folder}/sick-{name}) {{ return 503; }} return 200; }}
        location /moved {{ return 302 /; }}
        location /big {{ root {folder}; add_header Server-Name {name}; }}
    }}
"""


class Servers:
    def __init__(self, node):
        self.node = node
        self.count = 0

    def _tag(self):
        self.count += 1
        return str(self.count)

    def _await_port(self, address, port):
        """A server accepts on the address; asked with a socket of the node."""
        def answers():
            family = 10 if ":" in address else 2
            with self.node.open_socket(family) as probe:
                return probe.connect_ex((address, int(port))) == 0
        wait_for(answers, f"nobody listens on {address} port {port}")

    def http(self, **names):
        """http(blue="127.0.0.1:8081", green=[...]): one nginx; returns its process."""
        tag, folder = self._tag(), self.node.folder
        (folder / "big").write_bytes(BIG)
        listens = {name: [where] if isinstance(where, str) else where
                   for name, where in names.items()}
        blocks = "".join(
            NGINX_SERVER.format(name=name, folder=folder, listens=" ".join(
                f"listen {one} backlog=4096 fastopen=256;" for one in where))
            for name, where in listens.items())
        config = folder / f"nginx-{tag}.conf"
        config.write_text(NGINX.format(folder=folder, tag=tag, servers=blocks), encoding="utf-8")
        process = self.node.start("nginx", "-e", folder / f"nginx-{tag}.log", "-c", config)
        for where in listens.values():
            for one in where:
                address, _, port = one.rpartition(":")
                self._await_port(address.strip("[]"), port)
        return process

    def sicken(self, name, is_sick=True):
        """What /health of this nginx says from now on."""
        mark = self.node.folder / f"sick-{name}"
        if is_sick:
            mark.touch()
        else:
            mark.unlink()

    def dns(self, name, addresses, port=53):
        """One dnsmasq on some addresses, UDP and TCP."""
        if isinstance(addresses, str):
            addresses = [addresses]
        process = self.node.start(
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv",
            "--no-hosts", "--bind-interfaces", f"--port={port}", "--user=root",
            *(f"--listen-address={one}" for one in addresses),
            f"--txt-record=who.test,{name}", "--host-record=shop.test,192.0.2.10",
            stderr=open(self.node.folder / f"dnsmasq-{self._tag()}.log", "wb"))
        for address in addresses:
            self._await_port(address, port)
        return process

    def redis(self, address, port=6379):
        process = self.node.start(
            "redis-server", "--bind", address, "--port", port, "--protected-mode", "no",
            "--dir", self.node.folder, "--save", "", "--appendonly", "no",
            stdout=open(self.node.folder / f"redis-{self._tag()}.log", "wb"))
        self._await_port(address, port)
        return process

    def moody(self, name, address, port=8082):
        """A server of moody.py; what it returns takes its words."""
        return Told(self.node, "moody.py", address, port, name)


    def grpc(self, address, port=50051):
        """gRPC's own server with the health service; see grpc_health.py."""
        return Told(self.node, "grpc_health.py", f"{address}:{port}")


class Told:
    """A server that takes words on its stdin."""

    def __init__(self, node, script, *arguments):
        self.process = node.python(script, *arguments, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"done\n"

    def stop(self):
        self.process.kill()
        self.process.wait()
