# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Services declared in files: what is written there is served, and a bad file changes nothing.

  one node (lib/node.py) for each test, its services folder at <node>/services.d
  VIPs 127.96.0.1n  ->  nginx a 127.0.0.1:8081, b 127.0.0.2:8081
"""

import os

import pytest

from lib.clients import connect_errno, names_at
from lib.files import Files
from lib.junctord import wait_for
from lib.objects import SERVICES, policy, service

SERVERS = {"a": "127.0.0.1:8081", "b": "127.0.0.2:8081"}
VIP, OTHER = "127.96.0.10", "127.96.0.11"


@pytest.fixture
def files(bare_node):
    """A folder, servers, and a junctord that reads it."""
    bare_node.servers.http(**SERVERS)
    made = Files(bare_node).make()
    bare_node.junctord.start()
    return made


def web(server="a", name="web", address=VIP):
    return service(name, address, 80, [SERVERS[server]])


def await_answer(files, name, address=VIP):
    wait_for(lambda: set(names_at(files.node, address, count=2)) == {name},
             f"{address} leads to {name}")


def test_added_changed_and_removed(files):
    files.write("web.yaml", web("a"), policy("web", "web", algorithm="RoundRobin"))
    files.await_owners(web="web.yaml")
    await_answer(files, "a")
    files.replace("web.yaml", web("b"))
    await_answer(files, "b")
    wait_for(lambda: not files.node.control.get("/apis/junctor.dev/v1alpha1/trafficpolicies")
             .json["items"], "the policy that disappeared from its file is deleted")
    files.write("more.json", web("a", "more", OTHER))
    files.await_owners(web="web.yaml", more="more.json")
    await_answer(files, "a", OTHER)
    files.remove("web.yaml")
    files.await_owners(more="more.json")
    assert connect_errno(files.node, VIP) != 0
    files.await_synced()
    status = files.status()
    assert status == {"name": "file", "synced": True, "stalenessSeconds": 0}
