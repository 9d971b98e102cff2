# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What junctor tells and does while no junctord runs.

  one node (lib/node.py)
  VIP 127.96.8.1, 80/TCP   ->   nginx a 127.0.0.1:8081, b 127.0.0.2:8081
"""

import json
import os
import struct
import tarfile
import time
from pathlib import Path

import pytest

from lib.clients import connect_errno, name_at
from lib.node import Node, built
from lib.objects import policy, service
from lib.servers import SERVERS
from test_verify import Tables, frontend

VIP = "127.96.8.1"


@pytest.fixture
def dead_node(own_node):
    """One that served and was killed."""
    own_node.servers.http(**{name: SERVERS[name] for name in "ab"})
    own_node.control.declare(service("web", VIP, 80, [SERVERS["a"], SERVERS["b"]]))
    for _ in range(5):
        name_at(own_node, VIP)
    own_node.junctord.kill()
    return own_node


def status(node, *flags, check=True):
    done = node.run(built("junctor"), "status", "--offline", "--pin-dir", node.pins, *flags,
                    check=check)
    return done.stdout


def test_trace_of_a_damaged_table(dead_node):
    """Whatever stands there is shown: an errno that is none, a name without an end."""
    tables = Tables(dead_node)
    service_id, _, revision, *_ = tables.way(frontend(VIP, 80))
    tables.put("jn_names", service_id, b"A" * len(tables.get("jn_names", service_id)))
    tables.change("jn_revisions", revision, 8, struct.pack("=IH", 0, 4000))  # no slots; errno
    told = json.loads(dead_node.said(built("junctor"), "trace", "--to", f"{VIP}:80", "--pin-dir",
                                     dead_node.pins, "-o", "json"))
    assert told["verdict"]["errno"] == "?" and "fails with ?" in told["verdict"]["message"]
    assert [told["service"][key] for key in ("namespace", "name", "port")] == ["A" * 63] * 3


def test_offline_status_tells_what_the_kernel_serves(dead_node):
    told = json.loads(status(dead_node, "-o", "json"))
    assert told["offline"] and not told["running"]
    assert told["installedGeneration"] == 1
    assert [hook["name"] for hook in told["hooks"] if hook["attached"]] == [
        "connect4", "connect6", "sendmsg4", "sendmsg6", "recvmsg4", "recvmsg6", "getpeername4",
        "getpeername6"]
    assert {hook["cgroup"] for hook in told["hooks"]} == {os.stat(dead_node.cgroup).st_ino}
    assert told["tables"]["services"]["used"] == 1
    assert told["tables"]["frontends"] == {"used": 1, "entries": 16384}
    assert told["tables"]["endpoints"]["used"] == 2
    assert told["decisions"]["Ok"] == 5
    assert told["degraded"] == []
    text = status(dead_node)
    assert "junctord:    does not run" in text
    assert "Generation:  1 in the kernel" in text
    assert "Hooks:       8 of 8 attached" in text


def test_offline_status_beside_a_junctord(own_node):
    told = json.loads(status(own_node, "-o", "json"))
    assert told["running"]
    assert "junctord:    runs" in status(own_node)
    own_node.junctord.terminate()
    assert not json.loads(status(own_node, "-o", "json"))["running"]
    own_node.junctord.start()  # looking holds nothing


def test_offline_status_of_a_hook_that_is_gone(dead_node):
    folder, = Path(dead_node.pins).glob("v*")
    (folder / "jn_connect4").unlink()
    done = dead_node.run(built("junctor"), "status", "--offline", "--pin-dir", dead_node.pins,
                         check=False)
    assert done.returncode == 6
    assert "connect4 (NOT attached)" in done.stdout
    assert "HookMissing: connect4 is not attached" in done.stdout


def test_offline_status_of_nothing(bare_node):
    done = bare_node.run(built("junctor"), "status", "--offline", "--pin-dir", bare_node.pins,
                         check=False)
    assert done.returncode == 1
    assert "has nothing below" in done.stderr


def test_status_without_a_junctord_names_the_other_way(dead_node):
    done = dead_node.run(built("junctor"), "status", "--socket", dead_node.socket_path, check=False)
    assert done.returncode == 3 and done.stdout == ""
    assert "`junctor status --offline` tells what the kernel serves" in done.stderr


def test_pin_dir_goes_with_offline_only(own_node):
    done = own_node.run(built("junctor"), "status", "--pin-dir", own_node.pins, check=False)
    assert done.returncode == 2 and "--offline" in done.stderr


def test_looking_needs_root_and_says_so(dead_node):
    done = dead_node.run("setpriv", "--reuid=65534", "--clear-groups", built("junctor"), "status",
                         "--offline", "--pin-dir", dead_node.pins, check=False)
    assert done.returncode == 1 and "run it as root" in done.stderr, done


def test_cleanup_after_looking(dead_node):
    status(dead_node)
    dead_node.run(built("junctor"), "cleanup", "--pin-dir", dead_node.pins, "--cgroup",
                  dead_node.cgroup)
    assert not list(Path(dead_node.pins).glob("v*"))
    assert connect_errno(dead_node, VIP)


def test_cleanup_with_a_configuration_that_is_wrong(dead_node, tmp_path):
    """What could be read of it counts, and each fault is told: the package can be removed."""
    config = tmp_path / "junctord.yaml"
    config.write_text(f"log-level: loud\npin-dir: {dead_node.pins}\nguardRoutes: maybe\n")
    done = dead_node.run(built("junctord"), "--config", config, "--offline", "cleanup", "--cgroup",
                         dead_node.cgroup)
    assert not list(Path(dead_node.pins).glob("v*"))
    assert f"{config}:1: log-level must be" in done.stderr
    assert f"{config}:3: guardRoutes must be" in done.stderr
    assert f"goes on with what could be read of the configuration: tables in {dead_node.pins}" in (
        done.stderr)


def test_looking_with_a_configuration_that_is_no_yaml(dead_node, tmp_path):
    config = tmp_path / "junctord.yaml"
    config.write_text("socket: [\n")
    look = (built("junctord"), "--config", config, "--offline", "status")
    told = json.loads(dead_node.run(*look, "--pin-dir", dead_node.pins).stdout)
    assert told["installedGeneration"] == 1
    done = dead_node.run(built("junctord"), "--config", tmp_path / "absent", "--offline", "status",
                         check=False)
    assert done.returncode == 1 and "absent cannot be read" in done.stderr


# --- sysdump --------------------------------------------------------------------------------------
SYSDUMP_SECONDS = 5  # as the manual says


def sysdump(node, path, *flags):
    """{name: text} of the archive that junctor writes."""
    node.run(built("junctor"), "sysdump", "-f", path, "--pin-dir", node.pins, "--state-dir",
             node.state, "--cgroup", node.cgroup, "--socket", node.socket_path, *flags)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size <= 10 << 20
    with tarfile.open(path) as archive:
        return {one.name: archive.extractfile(one).read().decode() for one in archive}


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


SECRET = "hunter2"


def annotated():
    return service("web", VIP, 80, [SERVERS["a"], SERVERS["b"]],
                   annotations={"deployed-with": SECRET})


def probing():
    return policy("web", "web", probe={"type": "HTTP", "path": f"/healthz?token={SECRET}"})


def test_sysdump_of_a_running_junctord(own_node, tmp_path):
    own_node.control.declare(annotated(), probing())
    files = sysdump(own_node, tmp_path / "dump.tar")
    assert json.loads(files["status.json"])["generation"] == 1
    assert "junctor_build_info" in files["metrics.txt"]
    assert "control.txt" not in files
    assert json.loads(files["machine.json"])["kernel"] == os.uname().release
    assert json.loads(files["offline-status.json"])["running"]
    hooks = lines_of(files["hooks.jsonl"])
    assert {"connect4", "recvmsg6"} <= {hook["hook"] for hook in hooks if hook["attachedHere"]}
    assert [one["vip"] for one in lines_of(files["tables/frontends.jsonl"])] == [f"{VIP}:80"]
    assert {one["address"] for one in lines_of(files["tables/endpoints.jsonl"])} == {
        SERVERS["a"], SERVERS["b"]}
    assert lines_of(files["tables/sets.jsonl"])[0]["slots"]
    assert not any(SECRET in text for text in files.values())


def test_sysdump_can_be_declared_again(bare_node, machine, tmp_path):
    bare_node.junctord.start()
    bare_node.control.declare(annotated(), probing())
    bare_node.junctord.kill()
    before = bare_node.tables()
    files = sysdump(bare_node, tmp_path / "dump.tar")
    assert "status.json" not in files and "no junctord answers" in files["control.txt"]
    assert not any(SECRET in text for text in files.values())
    other = Node(machine, "other")
    other.junctord.start()
    (tmp_path / "objects.jsonl").write_text(files["objects.jsonl"], encoding="utf-8")
    other.run(built("junctor"), "apply", "-f", tmp_path / "objects.jsonl", "--socket",
              other.socket_path)
    assert other.tables() == before


def test_sysdump_of_nothing(bare_node, tmp_path):
    files = sysdump(bare_node, tmp_path / "dump.tar")
    assert "has nothing below" in files["offline-status.json"]
    assert not any(name.startswith("tables/") for name in files)


def test_sysdump_overwrites_nothing(own_node, tmp_path):
    sysdump(own_node, tmp_path / "dump.tar")
    done = own_node.run(built("junctor"), "sysdump", "-f", tmp_path / "dump.tar", check=False)
    assert done.returncode == 1 and "cannot be written" in done.stderr


def test_sysdump_is_bounded(own_node, tmp_path):
    own_node.control.apply(*[
        service(f"many-{i}", f"127.97.{i // 250}.{i % 250 + 1}", 80,
                [f"127.0.{i % 200}.{j}:8081" for j in range(1, 11)],
                annotations={"fill": "x" * 200}) for i in range(10000)])
    own_node.junctord.kill()
    begin = time.monotonic()
    files = sysdump(own_node, tmp_path / "dump.tar")
    assert time.monotonic() - begin < SYSDUMP_SECONDS
    assert json.loads(files["offline-status.json"])["tables"]["services"]["used"] == 10000
    cut = [name for name, text in files.items() if '{"cut":' in text]
    assert "tables/endpoints.jsonl" in cut and "objects.jsonl" in cut
    for name in cut:
        lines_of(files[name])  # still whole lines


def with_systemd(node, tmp_path, journalctl):
    """Files of a sysdump on a machine that looks as if systemd ran, with this program as its journal."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/journalctl").write_text(f"#!/bin/sh\n{journalctl}\n", encoding="ascii")
    (tmp_path / "bin/journalctl").chmod(0o755)
    node.run("unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run && mkdir -p "
             f"/run/systemd/system && PATH={tmp_path}/bin:$PATH exec \"$@\"", "sh",
             built("junctor"), "sysdump", "-f", tmp_path / "dump.tar", "--pin-dir", node.pins,
             "--state-dir", node.state, "--cgroup", node.cgroup, "--socket", node.socket_path)
    with tarfile.open(tmp_path / "dump.tar") as archive:
        return {one.name: archive.extractfile(one).read().decode() for one in archive}


def test_sysdump_has_the_end_of_the_log(own_node, tmp_path):
    files = with_systemd(own_node, tmp_path, 'echo "$@"')
    assert files["log.txt"] == "--unit junctord --lines 1000 --no-pager\n"


def test_sysdump_does_not_wait_for_a_log_that_hangs(own_node, tmp_path):
    begin = time.monotonic()
    files = with_systemd(own_node, tmp_path, "echo before; exec sleep 30")
    assert time.monotonic() - begin < SYSDUMP_SECONDS
    assert files["log.txt"] == "before\n"
    assert "status.json" in files
