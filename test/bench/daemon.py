# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One junctord of the run: its own cgroup, pins, state and socket.

Speaks the control socket as any client does. The objects are made in objects.py.
"""

import http.client
import json
import os
import re
import shutil
import socket
import time

import kernelstats
from machine import Broken, run, stop

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
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

    def __init__(self, machine, binary, name, namespace):
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
                "--state-dir", f"{self.folder}/state", stdout=log, stderr=log)
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

    def metrics(self):
        """[(name, {label: value}, number)] of /metrics."""
        samples = []
        for line in self.request("GET", "/metrics")[1].decode().splitlines():
            found = SAMPLE.match(line)
            if found:
                labels = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                samples.append((found[1], labels, float(found[3])))
        return samples

    def programs(self):
        """{program id: attach type} of what this junctord attached to its cgroup."""
        return kernelstats.attached(self.cgroup)

    def memory(self):
        """{field: bytes} of the process."""
        pid, fields = self.process.pid, {}
        for name in ("smaps_rollup", "status"):
            with open(f"/proc/{pid}/{name}", encoding="ascii") as lines:
                for line in lines:
                    words = line.split()
                    if len(words) == 3 and words[2] == "kB":
                        fields[words[0].rstrip(":")] = int(words[1]) * 1024
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
