# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Fixtures of the scenarios. Run as root: /usr/bin/python3 -m pytest test/scenario

  BUILD=dir   where junctord, junctor and test/tools/ were built (build/)
  SOAK=1      the full doses of what is small here

What a scenario borrows from the machine (namespaces, cgroups, mounts, processes) is owned by a
Machine and given back however the scenario ends.
"""

import os
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench")]

from lib import sanitizer  # noqa: E402
from lib.node import Node, built  # noqa: E402
from lib.servers import SERVERS  # noqa: E402
from machine import Machine, find_mount, leave_on_signals  # noqa: E402

scratches = []  # of every Machine of this run


def pytest_configure(config):
    leave_on_signals()
    sanitizer.set_options()
    config.addinivalue_line("markers", "slow: more than twenty seconds; runs with SOAK=1 only")


def pytest_collection_modifyitems(items):
    if os.environ.get("SOAK"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: set SOAK=1"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows what junctord said."""
    report = (yield).get_result()
    if not report.failed:
        return
    for node in {value for value in item.funcargs.values() if isinstance(value, Node)}:
        if node.junctord.log_path.exists():
            report.sections.append(("junctord", node.junctord.log()[-4000:]))


def open_machine():
    borrowed = Machine(tempfile.gettempdir())
    scratches.append(borrowed.scratch)
    return borrowed


def left_behind():
    """Namespaces, cgroups, mounts and folders of this run that still exist."""
    mine = f"jnb{os.getpid()}-"
    named = [str(path) for folder in ("/run/netns", find_mount("cgroup2")) if os.path.isdir(folder)
             for path in Path(folder).iterdir() if path.name.startswith(mine)]
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return named + [path for path in mounts if path.startswith(tuple(scratches) or "-")] + \
        [path for path in scratches if os.path.exists(path)]


def pytest_sessionfinish(session):
    left = left_behind()
    if left:
        print("\nleft behind:", *left, sep="\n  ")
        session.exitstatus = 1


@pytest.fixture
def machine():
    with open_machine() as borrowed:
        yield borrowed


@pytest.fixture(scope="module")
def module_machine():
    with open_machine() as borrowed:
        yield borrowed


@pytest.fixture
def bare_node(machine):
    """A host without a junctord."""
    host = Node(machine, "node")
    yield host
    sanitizer.assert_clean(host.junctord, built("junctord"))


@pytest.fixture
def own_node(bare_node):
    """A host with a junctord that this test alone has."""
    bare_node.junctord.start()
    return bare_node


@pytest.fixture(scope="module")
def node(module_machine):
    """A host with a junctord that all tests of a file share."""
    host = Node(module_machine, "shared")
    host.junctord.start()
    yield host
    sanitizer.assert_clean(host.junctord, built("junctord"))


@pytest.fixture(scope="module")
def three_servers(node):
    """nginx a, b and c, and two name servers, in the host that a file shares."""
    node.servers.http(**SERVERS)
    node.servers.dns("a", "127.0.0.1")
    node.servers.dns("b", "127.0.0.2")
