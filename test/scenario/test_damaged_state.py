# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The state on disk is damaged, or there is no room for it; what the kernel serves stays right.

  one node (lib/node.py) for each test
  VIP 127.96.2.N, 80/TCP, N = 1..24  ->  nginx a 127.0.0.1:8081, or b 127.0.0.2:8081, in turn
  disk full: the state folder is a tmpfs of 512 KiB

SOAK=1: 1,500 flipped bits and 200 truncations.
"""

import errno
import os
import random
import subprocess

import pytest

from lib.clients import connect_errno, name_at
from lib.junctord import wait_for
from lib.ledger import Load
from lib.objects import SERVICES, service

COUNT = 24
FLIPS, CUTS = (1500, 200) if os.environ.get("SOAK") else (24, 8)
SEED = 5
ANNOTATION = "x" * 60000


def vip(number):
    return f"127.96.2.{number}"


def server(number):
    return "ab"[number % 2]


def declared():
    return [service(f"svc-{number}", vip(number), 80, [f"127.0.0.{1 + number % 2}:8081"])
            for number in range(1, COUNT + 1)]


@pytest.fixture
def served(own_node):
    own_node.servers.http(a="127.0.0.1:8081", b="127.0.0.2:8081")
    own_node.control.declare(*declared())
    return own_node


# --- damage ---------------------------------------------------------------------------------------
def files(node):
    """What junctord keeps its state in; both the database and its log may hold rows."""
    return [path for path in node.state.glob("state.db*")
            if path.suffix in (".db", ".db-wal") and path.stat().st_size]


def flip(node, chance):
    path = chance.choice(files(node))
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    path.write_bytes(data)
    return f"bit {at} of {path.name}"


def cut(node, chance):
    path = chance.choice(files(node))
    size = chance.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"{path.name} cut at {size}"


def assert_right_or_named(node, what):
    """Every object is as it was declared, or said to be damaged; and none is served wrongly."""
    wanted = {("default", one["metadata"]["name"]): one["spec"] for one in declared()}
    found = node.control.specs()
    degraded = node.control.status()["degraded"]
    said = " ".join(degraded)
    assert set(found) <= set(wanted), what
    for key, spec in wanted.items():
        if f"{key[1]} " in said + " " or f"{key[1]}:" in said or f"{key[1]}," in said:
            continue
        assert key in found, f"{what}: {key} is gone, and nobody said so ({degraded})"
        assert found[key]["addresses"] == spec["addresses"], what
        assert found[key]["backends"] == spec["backends"] or \
            [one["address"] for one in found[key]["backends"]] == \
            [one["address"] for one in spec["backends"]], what
    for sentence in degraded:
        assert any(word in node.junctord.log() for word in sentence.split() if "svc-" in word) or \
            "svc-" not in sentence, f"{what}: the log names the object, too"
    for number in range(1, COUNT + 1):
        assert name_at(node, vip(number)) == server(number), what


@pytest.mark.parametrize("damage, times", [(flip, FLIPS), (cut, CUTS)], ids=["flip", "cut"])
def test_damage_is_found_and_never_served(served, damage, times):
    chance = random.Random(SEED)
    named = 0
    with Load(served, vip(1), busy=1, fresh=20) as load:
        for turn in range(times):
            if turn % 2:
                served.junctord.kill()  # the rows are still in the log
            else:
                served.junctord.terminate()
            what = damage(served, chance)
            served.junctord.start()
            assert_right_or_named(served, what)
            named += bool(served.control.status()["degraded"])
            served.control.declare(*declared())
            assert served.control.status()["degraded"] == [], what
    load.ledger.assert_nothing_lost()
    assert set(load.ledger.servers()) == {"b"}
    assert named, "no damage was ever found: the test is too weak"


def test_a_file_that_is_no_database(served):
    served.junctord.terminate()
    for path in files(served):
        path.unlink()
    (served.state / "state.db").write_bytes(b"This is no database.\n" * 1000)
    served.junctord.start()
    assert served.control.status()["degraded"]
    assert_right_or_named(served, "no database")
    assert list(served.state.glob("state.db.damaged-*")), "it is kept for people"
    served.control.declare(*declared())
    assert served.control.status()["degraded"] == []


def test_damage_and_lost_tables_name_what_is_lost(served):
    """Nothing is left of an object whose row is wrong: it is listed until it is declared again."""
    served.junctord.terminate()
    path = served.state / "state.db"
    data = path.read_bytes()
    at = data.index(b"127.96.2.7")
    path.write_bytes(data[:at] + b"127.96.2.9" + data[at + 10:])
    subprocess.run(["umount", served.pins], check=True)
    subprocess.run(["mount", "-t", "bpf", "none", served.pins], check=True)
    served.junctord.start()
    assert "svc-7" in " ".join(served.control.status()["degraded"])
    assert connect_errno(served, vip(7)) == errno.EINVAL
    assert [name_at(served, vip(number)) for number in (6, 8, 9)] == ["a", "a", "b"]
    served.control.declare(*declared())
    assert served.control.status()["degraded"] == []
    assert name_at(served, vip(7)) == "b"


# --- no room --------------------------------------------------------------------------------------
@pytest.fixture
def small_disk(bare_node):
    bare_node.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", bare_node.state], check=True)
    bare_node.machine.callback(subprocess.run, ["umount", "-l", bare_node.state], check=False)
    bare_node.junctord.start()
    bare_node.servers.http(a="127.0.0.1:8081", b="127.0.0.2:8081")
    bare_node.control.declare(*declared())
    return bare_node


def fill(node):
    """Declares large objects until there is no room; returns the refusal and who it hit."""
    for number in range(100):
        name = f"big-{number}"
        large = service(name, f"127.96.3.{number}", 80, ["127.0.0.1:8081"],
                        annotations={"text": ANNOTATION})
        answer = node.control.put(large)
        if answer.status != 201:
            return answer, large
    raise AssertionError("512 KiB never become full")


def test_disk_full_is_a_refusal_and_a_retry_works(small_disk):
    node = small_disk
    answer, refused = fill(node)
    assert (answer.status, answer.json["reason"]) == (507, "InsufficientStorage"), answer
    before = (node.control.status()["generation"], node.control.specs())
    name, address = refused["metadata"]["name"], refused["spec"]["addresses"][0]
    assert connect_errno(node, address) == errno.EINVAL, "the kernel has nothing of it"

    changed = service("svc-1", vip(1), 80, ["127.0.0.1:8081"],
                      annotations={f"text-{number}": ANNOTATION for number in range(5)})
    assert node.control.put(changed).status == 507
    assert node.control.put(refused).status == 507
    assert (node.control.status()["generation"], node.control.specs()) == before
    assert [name_at(node, vip(number)) for number in range(1, COUNT + 1)] == \
        [server(number) for number in range(1, COUNT + 1)]

    subprocess.run(["mount", "-o", "remount,size=4m", node.state], check=True)
    assert node.control.put(refused).status == 201
    assert node.control.put(changed).status == 200
    assert name_at(node, address) == name_at(node, vip(1)) == "a"
    node.junctord.restart()
    assert node.control.get(f"{SERVICES}/{name}").status == 200
    assert node.control.status()["degraded"] == []


def test_a_restart_with_a_full_disk_keeps_what_was_acknowledged(small_disk):
    node = small_disk
    fill(node)
    specs = node.control.specs()
    with open(node.state / "filler", "wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(b"x" * 4096)
    node.junctord.kill()
    node.junctord.launch()
    wait_for(lambda: not node.junctord.is_running() or is_ready(node), "it starts or says why not")
    assert name_at(node, vip(1)) == "b"
    if node.junctord.is_running():
        assert node.control.specs() == specs
        node.junctord.kill()
    else:
        assert "No space left" in node.junctord.log().splitlines()[-1]
    (node.state / "filler").unlink()
    node.junctord.start()
    assert node.control.specs() == specs
    assert node.control.status()["degraded"] == []


def is_ready(node):
    try:
        return node.control.get("/readyz").status == 200
    except OSError:
        return False


def test_state_that_is_no_folder(bare_node):
    bare_node.state.write_text("a file")
    bare_node.junctord.launch()
    assert bare_node.junctord.await_end() == 1
    assert str(bare_node.state) in bare_node.junctord.log()
