# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The control socket as a client sees it: one request, one answer, each on its own connection.

Raw bytes for the requests that no HTTP client would send. It keeps nothing between two requests.
"""

import contextlib
import http.client
import json
import re
import socket

from daemon import UnixConnection
from lib.objects import SERVICES

TIMEOUT_SECONDS = 20
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def causes(self):
        """{field: cause} of a refusal."""
        return {cause.get("field", ""): cause for cause in self.json["details"].get("causes", [])}

    def __repr__(self):
        return f"{self.status} {self.body[:600].decode(errors='replace')}"


def encode(body):
    """dict: one document; list: JSON lines; bytes and str: as they are."""
    if isinstance(body, dict):
        return json.dumps(body).encode()
    if isinstance(body, list):
        return b"".join(json.dumps(one).encode() + b"\n" for one in body)
    return body.encode() if isinstance(body, str) else body


class Control:
    def __init__(self, path):
        self.path = path

    def request(self, method, target, body=None, headers=None, timeout=TIMEOUT_SECONDS):
        connection = UnixConnection(self.path, timeout)
        try:
            connection.request(method, target, encode(body), headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def put(self, body, target=None, **options):
        """PUT of an object to its own path, or to the one given."""
        return self.request("PUT", target or f"{SERVICES}/{body['metadata']['name']}", body,
                            **options)

    def delete(self, target, **options):
        return self.request("DELETE", target, **options)

    def apply(self, *objects, dry_run=False, **options):
        """All objects in one request, as JSON lines."""
        target = "/v1/apply?dryRun=All" if dry_run else "/v1/apply"
        return self.request("POST", target, list(objects), **options)

    def declare(self, *objects):
        """apply() that must succeed; returns the generation."""
        answer = self.apply(*objects)
        assert answer.status == 200, answer
        assert answer.json["durable"] is True, answer
        return answer.json["generation"]

    def remove(self, *targets):
        """Deletes services (by name) or whatever stands at a path; all must be there."""
        for target in targets:
            answer = self.delete(target if target.startswith("/") else f"{SERVICES}/{target}")
            assert answer.status == 200, answer

    def status(self):
        answer = self.get("/v1/status")
        assert answer.status == 200, answer
        return answer.json

    def specs(self):
        """{(namespace, name): spec} of every service."""
        answer = self.get("/apis/junctor.dev/v1alpha1/localservices")
        assert answer.status == 200, answer
        return {(one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]
                for one in answer.json["items"]}

    def metrics(self):
        """[(name, {label: value}, number)] of /metrics."""
        samples = []
        for line in self.get("/metrics").body.decode().splitlines():
            found = SAMPLE.match(line)
            if found:
                labels = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                samples.append((found[1], labels, float(found[3])))
        return samples

    def counter(self, name, **labels):
        """The sum of all samples of this name that have these labels."""
        return sum(value for found, has, value in self.metrics()
                   if found == name and labels.items() <= has.items())

    @contextlib.contextmanager
    def begin(self, method, target, body=None):
        """Sends a request and does not wait; gives a function that says the status, 0 for none."""
        connection = UnixConnection(self.path, TIMEOUT_SECONDS)

        def status():
            try:
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return 0

        try:
            connection.request(method, target, encode(body))
            yield status
        finally:
            connection.close()

    def open(self, timeout=TIMEOUT_SECONDS):
        """A bare connection."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(timeout)
        client.connect(self.path)
        return client

    def raw(self, data, timeout=TIMEOUT_SECONDS):
        """What comes back for these bytes until the other side closes, as (status, body)."""
        with self.open(timeout) as client:
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # answered before the end of the request
            return split_answer(read_all(client))


def read_all(client):
    data = b""
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def split_answer(data):
    """(status, body) of the first answer in some bytes; status 0: none came."""
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return (int(words[1]), body) if len(words) == 3 else (0, b"")
