# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The daemon goes, by itself or killed, and comes back; nobody who connects notices.

  one node (lib/node.py) for each test
  VIP 127.96.0.10, 80/TCP  ->  nginx a 127.0.0.1:8081, b 127.0.0.2:8081, c 127.0.0.3:8081
  load: idle, busy and new connections at the same time, every one of them in a ledger

SOAK=1 takes the full dose: 20 kills under 1,000 idle and 64 busy connections.
"""

import os
import shutil
import subprocess
import time

import pytest

from lib import kernel
from lib.clients import connect, connect_errno, kept_name, name_at, names_at
from lib.junctord import wait_for
from lib.ledger import Load
from lib.node import built
from lib.objects import backend, policy, service

SERVERS = {"a": "127.0.0.1:8081", "b": "127.0.0.2:8081", "c": "127.0.0.3:8081"}
VIP = "127.96.0.10"
SOAK = bool(os.environ.get("SOAK"))
PACE = kernel.pace()
KILLS, IDLE, BUSY, FRESH = (20, 1000, 64, 200) if SOAK else (4, 200, 16 // PACE, 100 // PACE)
DOWN_SECONDS = 0.3
SYNC_SECONDS = 1.0 * PACE


@pytest.fixture
def served(own_node):
    own_node.servers.http(**SERVERS)
    own_node.control.declare(*declared())
    return own_node


def declared():
    return [service("web", VIP, 80, [SERVERS["a"], backend(SERVERS["b"], weight=2)]),
            policy("web", "web", algorithm="RoundRobin"),
            service("other", ["127.96.0.11", "fd00:96::11"],
                    [{"name": "one", "port": 80, "targetPort": 8081}, {"name": "two", "port": 81}],
                    [{"address": "127.0.0.3", "ports": {"two": 8081}}], labels={"tier": "x"})]


def objects_of(node):
    """Everything that is declared, as the control socket lists it, without status."""
    lists = [node.control.get(f"/apis/junctor.dev/v1alpha1/{plural}").json["items"]
             for plural in ("localservices", "trafficpolicies")]
    for one in lists[0] + lists[1]:
        one.pop("status", None)
    return lists


def kill_and_start(node):
    """Down for a while, with new connections meanwhile; returns (when down, when up)."""
    down = time.monotonic()
    node.junctord.kill()
    time.sleep(DOWN_SECONDS)
    up = time.monotonic()
    took = node.junctord.start()
    assert took <= SYNC_SECONDS, f"back in sync after {took:.2f} s"
    assert node.control.status()["synced"] is True
    return down, up


def test_killed_again_and_again_under_load(served):
    before = served.control.status()["generation"]
    with Load(served, VIP, idle=IDLE, busy=BUSY, fresh=FRESH) as load:
        gaps = [kill_and_start(served) for _ in range(KILLS)]
    load.ledger.assert_nothing_lost()
    for down, up in gaps:
        meanwhile = load.ledger.servers(after=down, before=up)
        planned = FRESH * (up - down) - 2  # those of the window's edges may be outside of it
        assert meanwhile.total() >= 0.9 * planned > 0, "connections while nobody is there"
        assert set(meanwhile) == {"a", "b"}, meanwhile
    assert served.control.status()["generation"] == before


def test_sigterm_leaves_the_kernel_serving(served):
    with Load(served, VIP, idle=IDLE // 2, busy=BUSY // 2, fresh=FRESH) as load:
        before = kernel.pinned(served.pins)
        down = time.monotonic()
        assert served.junctord.terminate() == 0
        assert kernel.pinned(served.pins) == before
        assert not os.path.exists(served.socket_path)
        time.sleep(DOWN_SECONDS)
        up = time.monotonic()
        served.junctord.start()
    load.ledger.assert_nothing_lost()
    assert set(load.ledger.servers(after=down, before=up)) == {"a", "b"}


def test_cleanup_removes_ours_and_nothing_else(served):
    ours = kernel.of_junctor(served.pins, served.cgroup)
    assert len(ours["link"]) == 8 and len(ours["prog"]) == 9 and ours["map"]  # jn_trace, too
    flags = ["--pin-dir", served.pins, "--cgroup", served.cgroup]
    refused = served.run(built("junctor"), "cleanup", *flags, check=False)
    assert refused.returncode == 1, "a daemon holds the pins"
    assert str(served.junctord.pid) in refused.stderr
    assert kernel.left_of(ours) == ours

    with connect(served, VIP, 80) as client:
        served.junctord.terminate()
        served.run(built("junctor"), "cleanup", *flags)
        wait_for(lambda: not kernel.left_of(ours), "programs and tables go after their last user")
        assert kernel.attached(served.cgroup) == {}
        assert kernel.pinned(served.pins) == {}
        assert kept_name(client) in SERVERS, "established connections need nothing of ours"
    assert connect_errno(served, VIP) != 0
    assert (served.state / "state.db").exists(), "what was declared stays"
    served.run(built("junctor"), "cleanup", *flags)  # a second time: nothing to do is no failure
    served.junctord.start()
    assert set(names_at(served, VIP, count=9)) == {"a", "b"}


def test_a_restart_adopts_and_flushes_nothing(served):
    before, objects = kernel.pinned(served.pins), objects_of(served)
    programs = kernel.attached(served.cgroup)
    status = served.control.status()
    tables = dump(served)
    served.junctord.restart()
    assert kernel.pinned(served.pins) == before
    assert kernel.attached(served.cgroup) == programs
    assert objects_of(served) == objects
    assert dump(served) == tables, "nothing is written where nothing differs"
    after = served.control.status()
    assert after["generation"] == after["installedGeneration"] == status["generation"]
    assert after["limits"] == status["limits"] and after["degraded"] == []


def dump(node):
    """The tables that say who is served by whom."""
    return {name: node.said("bpftool", "map", "dump", "pinned", path)
            for name, path in pins_of(node).items() if "frontends" in name or "names" in name}


def pins_of(node):
    return {name: os.path.join(node.pins, name) for name in kernel.pinned(node.pins)}


def test_turns_go_on_over_a_restart(served):
    """RoundRobin does not begin anew: the cursor is in the kernel."""
    served.control.declare(service("web", VIP, 80, [SERVERS["a"], SERVERS["b"]]))
    names = []
    for _ in range(3):
        names.append(name_at(served, VIP))
        served.junctord.restart()
    assert names in (["a", "b", "a"], ["b", "a", "b"])


def test_writes_go_on_after_a_restart(served):
    generation = served.control.declare(service("late", "127.96.0.20", 80, [SERVERS["c"]]))
    served.junctord.restart()
    assert served.control.declare(service("later", "127.96.0.21", 80, [SERVERS["c"]])) > generation
    assert name_at(served, "127.96.0.20") == name_at(served, "127.96.0.21") == "c"
    answer = served.control.apply(*declared())
    assert {one["result"] for one in answer.json["results"]} == {"unchanged"}


def test_state_lost_pins_kept(served):
    """What the kernel serves is declared anew from it, and named until somebody declares it."""
    before = served.control.specs()
    served.junctord.kill()
    shutil.rmtree(served.state)
    with Load(served, VIP, busy=2, fresh=FRESH) as load:
        served.junctord.start()
        assert set(served.control.specs()) == set(before)
        degraded = " ".join(served.control.status()["degraded"])
        assert "web" in degraded and "other" in degraded
        for key, spec in served.control.specs().items():
            assert sorted(spec["addresses"]) == sorted(before[key]["addresses"])
            assert len(spec["backends"]) == len(before[key]["backends"])
    load.ledger.assert_nothing_lost()
    served.control.declare(*declared())
    assert served.control.status()["degraded"] == []
    assert name_at(served, "127.96.0.11", 81) == "c"
    served.junctord.restart()
    assert served.control.status()["degraded"] == []


def test_pins_lost_state_kept(served):
    """A reboot: the tables are gone, the declarations are not."""
    objects = objects_of(served)
    served.junctord.kill()
    subprocess.run(["umount", served.pins], check=True)
    subprocess.run(["mount", "-t", "bpf", "none", served.pins], check=True)
    wait_for(lambda: not kernel.attached(served.cgroup), "the links go with their last pin")
    assert connect_errno(served, VIP) != 0
    served.junctord.start()
    assert objects_of(served) == objects
    assert served.control.status()["degraded"] == []
    assert names_at(served, VIP, count=30) == {"a": 10, "b": 20}
    assert name_at(served, "fd00:96::11", 81) == "c"


def test_a_removed_link_comes_back_at_the_start(served):
    served.junctord.kill()
    before = kernel.pinned(served.pins)
    link = next(path for path, (kind, _) in before.items() if kind == "link" and "connect4" in path)
    os.unlink(os.path.join(served.pins, link))
    wait_for(lambda: connect_errno(served, VIP) != 0, "without its hook nobody is led")
    served.junctord.start()
    assert set(names_at(served, VIP, count=9)) == {"a", "b"}
    after = kernel.pinned(served.pins)
    assert {name: value for name, value in after.items() if name != link} == \
        {name: value for name, value in before.items() if name != link}
