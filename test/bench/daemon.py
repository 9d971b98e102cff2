# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One junctord of the run: its own cgroup, pins, state and socket.

Speaks the control socket as any client does. The objects are made in objects.py.
"""

import http.client
import json
import os
import shutil
import socket
import time

import kernelstats
from machine import Broken, run, stop

DECISIONS = 'junctor_decisions_total{reason="Ok"}'
START_SECONDS = 20


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("junctor", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Junctord:
    """A running junctord. stop() leaves nothing behind: no link, no pin, no state."""

    def __init__(self, machine, binary, name, namespace, services_dir=None):
        self.machine, self.name = machine, name
        self.folder = machine.folder(name)
        self.cgroup = machine.cgroup(name)
        self.pins = machine.bpffs(f"{name}/pins")
        self.socket = f"{self.folder}/control"
        self.log_path = f"{self.folder}/log"
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = machine.start(
                "nsenter", f"--net={namespace.path}", binary, "--socket", self.socket,
                "--cgroup", self.cgroup, "--pin-dir", self.pins,
                "--state-dir", f"{self.folder}/state",
                "--services-dir", services_dir or f"{self.folder}/no-services",
                stdout=log, stderr=log)
        self.await_ready()

    def await_ready(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.request("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        with open(self.log_path, encoding="utf-8") as log:
            raise Broken(f"junctord is not ready: {log.read()[-800:].strip()}")

    def await_files(self):
        """Until what stands in its services folder is what it serves."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            sources = json.loads(self.request("GET", "/v1/status")[1])["sources"]
            if all(one["synced"] for one in sources if one["name"] == "file"):
                return
            time.sleep(0.02)
        raise Broken(f"the services folder is not served: {sources}")

    def request(self, method, path, body=None, timeout=120):
        connection = UnixConnection(self.socket, timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def apply(self, body):
        """(seconds from the start of the request to the answer, the answer)."""
        start = time.monotonic()
        status, text = self.request("POST", "/v1/apply", body)
        seconds = time.monotonic() - start
        if status != 200:
            raise Broken(f"/v1/apply answers {status}: {text[:600].decode(errors='replace')}")
        return seconds, json.loads(text)

    def connections(self):
        """Connections led to a backend since the tables exist, by junctor's own counters."""
        for line in self.request("GET", "/metrics")[1].decode().splitlines():
            if line.startswith(DECISIONS):
                return int(line.split()[-1])
        raise Broken(f"/metrics has no {DECISIONS}")

    def usage(self):
        """{table: entries in use} of the kernel tables."""
        limits = json.loads(self.request("GET", "/v1/status")[1])["limits"]
        return {name: limit["used"] for name, limit in limits.items()}

    def programs(self):
        """{program id: attach type} of what this junctord attached to its cgroup."""
        return kernelstats.attached(self.cgroup)

    def memory(self):
        """Bytes of the process: {"private", "resident", "peak"}; tables mapped are not private."""
        pid, fields, is_table = self.process.pid, {"private": 0}, False
        with open(f"/proc/{pid}/smaps", encoding="ascii") as lines:
            for words in map(str.split, lines):
                if not words[0].endswith(":"):  # the first line of a mapping
                    is_table = words[-1].endswith("bpf-map")
                elif words[0].startswith("Private_") and words[0] != "Private_Hugetlb:":
                    fields["private"] += 0 if is_table else int(words[1]) * 1024
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            status = dict(line.split(":", 1) for line in lines)
        fields["resident"] = int(status["VmRSS"].split()[0]) * 1024
        fields["peak"] = int(status["VmHWM"].split()[0]) * 1024
        return fields

    def cpu_seconds(self):
        """CPU time of all its threads, to the nanosecond."""
        clock = (~self.process.pid << 3) | 2  # as clock_getcpuclockid() makes it
        return time.clock_gettime_ns(clock) / 1e9

    def stop(self):
        """Ends it and what it left in the kernel: with its bpffs the pins go, and the links."""
        stop(self.process)
        run("umount", self.pins)
        self.machine.remove_cgroup(self.cgroup)
        shutil.rmtree(self.folder, ignore_errors=True)
