# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs of others at the same hooks of the same cgroup go on running, and stay.

  one node (lib/node.py) for each test
  cgroup   foreign connect4 and getpeername4 (attached "multi", as systemd and others do), and a
           cgroup_skb program at egress, as systemd's IP filter is one; before junctord, and after
  VIP 127.96.0.10, 80/TCP  ->  nginx a 127.0.0.1:8081
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lib import kernel
from lib.clients import connect, http_name, name_at
from lib.ledger import Load
from lib.node import built
from lib.objects import policy, service

SOURCE = Path(__file__).parent / "bpf" / "foreign.bpf.c"
HOOKS = {"foreign_connect4": "cgroup_inet4_connect",
         "foreign_peername4": "cgroup_inet4_getpeername", "foreign_egress": "cgroup_inet_egress"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    compiler = next(found for name in ("clang-19", "clang-14", "clang")
                    if (found := shutil.which(name)))
    path = tmp_path_factory.mktemp("bpf") / "foreign.o"
    include = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True,
                             check=True).stdout.strip()
    subprocess.run([compiler, "-O2", "-g", "-target", "bpf", "-I", f"/usr/include/{include}", "-c",
                    SOURCE, "-o", path], check=True)
    return path


class Foreign:
    """The programs of somebody else, attached to the cgroup of a node."""

    def __init__(self, node, compiled, is_first=False):
        self.node = node
        self.folder = node.machine.bpffs("foreign")
        node.machine.callback(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run(["bpftool", "prog", "loadall", compiled, f"{self.folder}/progs", "pinmaps",
                        f"{self.folder}/maps"], check=True, capture_output=True)
        for program, hook in HOOKS.items():
            if is_first:
                kernel.attach_first(node.cgroup, f"{self.folder}/progs/{program}", hook)
                continue
            subprocess.run(["bpftool", "cgroup", "attach", node.cgroup, hook, "pinned",
                            f"{self.folder}/progs/{program}", "multi"], check=True)
        self.ids = {kernel.identity(f"{self.folder}/progs/{program}")[1] for program in HOOKS}

    def runs(self):
        dumped = json.loads(subprocess.run(
            ["bpftool", "-j", "map", "dump", "pinned", f"{self.folder}/maps/foreign_runs"],
            check=True, capture_output=True, text=True).stdout)
        return dumped[0]["formatted"]["value"]

    def assert_running(self):
        assert self.ids <= set(kernel.attached(self.node.cgroup))
        before = self.runs()
        with connect(self.node, "127.0.0.1", 8081) as client:
            assert client.getpeername() == ("127.0.0.1", 8081)
        assert self.runs() >= before + 3, "connect4, getpeername4 and a packet"


def assert_serves(node):
    with connect(node, "127.96.0.10", 80) as client:
        assert client.getpeername() == ("127.96.0.10", 80)
        assert http_name(client) == "a"


@pytest.mark.parametrize("order", ["before junctord", "after junctord"])
def test_both_run_and_each_leaves_the_other(bare_node, compiled, order):
    node = bare_node
    node.servers.http(a="127.0.0.1:8081")
    foreign = Foreign(node, compiled) if order == "before junctord" else None
    node.junctord.start()
    foreign = foreign or Foreign(node, compiled)
    node.control.declare(service("web", "127.96.0.10", 80, ["127.0.0.1:8081"]))
    assert_serves(node)
    foreign.assert_running()

    node.junctord.restart()
    assert_serves(node)
    foreign.assert_running()

    node.junctord.terminate()
    node.run(built("junctor"), "cleanup", "--pin-dir", node.pins, "--cgroup", node.cgroup)
    foreign.assert_running()
    assert set(kernel.attached(node.cgroup)) == foreign.ids

    node.junctord.start()
    assert_serves(node)
    for program, hook in HOOKS.items():
        subprocess.run(["bpftool", "cgroup", "detach", node.cgroup, hook, "pinned",
                        f"{foreign.folder}/progs/{program}"], check=True)
    assert_serves(node)
    assert name_at(node, "127.0.0.1", 8081) == "a"


def test_foreign_pins_in_our_folder_stay(bare_node, compiled):
    """cleanup removes what is ours, names what is not, and leaves it."""
    node = bare_node
    node.junctord.start()
    version = next(path for path in Path(node.pins).iterdir() if path.name.startswith("v"))
    foreign = Foreign(node, compiled)
    subprocess.run(["bpftool", "map", "pin", "pinned", f"{foreign.folder}/maps/foreign_runs",
                    version / "guest"], check=True)
    node.junctord.terminate()
    done = node.run(built("junctor"), "cleanup", "--pin-dir", node.pins, "--cgroup", node.cgroup,
                    check=False)
    assert "guest" in done.stderr
    assert list(kernel.pinned(node.pins)) == [f"{version.name}/guest"]
    assert set(kernel.attached(node.cgroup)) == foreign.ids


def test_tables_grow_beside_programs_that_run_first(bare_node, compiled):
    """BPF_F_PREORDER: kernels with CVE-2026-72427 would overwrite these with ours, and free ours."""
    node = bare_node
    node.servers.http(a="127.0.0.1:8081")
    node.junctord.start()
    try:
        foreign = Foreign(node, compiled, is_first=True)
    except OSError as error:
        pytest.skip(f"this kernel attaches no program before all others ({error})")
    node.control.declare(service("web", "127.96.0.10", 80, ["127.0.0.1:8081"]))
    links = kernel.of_junctor(node.pins, node.cgroup)["link"]
    with Load(node, "127.96.0.10", busy=2, fresh=50) as load:
        for count in (2, 4):  # each time more slots than there are
            node.control.declare(
                service("wide", "127.96.0.11",
                        [{"name": f"p{port}", "port": port} for port in range(1, 3 * count)],
                        [f"10.128.0.{1 + index}" for index in range(40)]),
                policy("wide", "wide", algorithm="Maglev"))
            foreign.assert_running()
            assert_serves(node)
    load.ledger.assert_nothing_lost()
    now = kernel.of_junctor(node.pins, node.cgroup)["link"]
    assert len(now) == len(links) and len(now - links) == 2, "connect4 and getpeername4 only"
    assert node.control.status()["generation"] == 3
    node.junctord.restart()
    assert_serves(node)
    foreign.assert_running()
