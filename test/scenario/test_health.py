# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A hook that does not do what it promises turns the status red, with the reason, in fifteen seconds.

  one node (lib/node.py) for each test; its junctord runs in the cgroup that it serves, or outside
  the canary's way: 127.127.74.78 and [::1], at ports of junctord's own
"""

import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from lib import kernel
from lib.junctord import wait_for
from lib.node import built
from lib.objects import service
from machine import run

SOURCE = Path(__file__).parent / "bpf" / "hostile.bpf.c"
PROVABLE = {f"{call}{family}" for call in ("connect", "sendmsg", "recvmsg", "getpeername")
            for family in "46"}
RED_SECONDS = 15
ONLY_PART = 'umount -l "$1" && mount -t cgroup2 none "$2" && shift 2 && exec "$@"'


def status(node):
    return node.control.get("/v1/status").json


def hooks(node):
    return {hook["name"]: hook for hook in status(node)["hooks"]}


def await_proof(node, seconds=RED_SECONDS):
    """All hooks that a connection can show were shown to work."""
    wait_for(lambda: PROVABLE <= {name for name, hook in hooks(node).items()
                                  if hook.get("effective")},
             "every hook is shown to be effective", seconds)
    assert status(node)["degraded"] == []


def await_red(node, words, seconds=RED_SECONDS):
    """The sentence of the status that has these words."""
    found = wait_for(lambda: [line for line in status(node)["degraded"] if re.search(words, line)],
                     f"status says {words}", seconds)
    assert junctor_status(node).returncode == 6
    return found[0]


def junctor_status(node):
    return node.run(built("junctor"), "status", "--socket", node.socket_path, check=False)


def link_id(node, hook):
    folder, = Path(node.pins).glob("v*")
    return kernel.identity(folder / f"jn_{hook}")[1]


def detach(node, hook):
    run("bpftool", "link", "detach", "id", str(link_id(node, hook)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    compiler = next(found for name in ("clang-19", "clang-14", "clang")
                    if (found := shutil.which(name)))
    path = tmp_path_factory.mktemp("bpf") / "hostile.o"
    include = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True,
                             check=True).stdout.strip()
    subprocess.run([compiler, "-O2", "-g", "-target", "bpf", "-I", f"/usr/include/{include}", "-c",
                    SOURCE, "-o", path], check=True)
    return path


class Attached:
    """A program of somebody else at a hook of a cgroup, while the block runs."""

    def __init__(self, node, compiled, program, hook):
        self.cgroup, self.hook = node.cgroup, hook
        self.folder = node.machine.bpffs("hostile")
        node.machine.callback(shutil.rmtree, self.folder, ignore_errors=True)
        run("bpftool", "prog", "loadall", str(compiled), f"{self.folder}/progs")
        self.path = f"{self.folder}/progs/{program}"

    def __enter__(self):
        run("bpftool", "cgroup", "attach", self.cgroup, self.hook, "pinned", self.path, "multi")

    def __exit__(self, *_):
        run("bpftool", "cgroup", "detach", self.cgroup, self.hook, "pinned", self.path)


def test_every_hook_is_tried_out(own_node):
    await_proof(own_node)
    said = junctor_status(own_node)
    assert said.returncode == 0
    line, = re.findall("^Hooks:.*", said.stdout, re.M)
    assert "8 of 8 attached" in line and "NOT" not in line


def test_a_detached_hook(own_node):
    node = own_node
    await_proof(node)
    detach(node, "connect4")
    await_red(node, "connect4: somebody detached its link; restart junctord")
    assert hooks(node)["connect4"]["effective"] is False
    assert hooks(node)["connect6"]["effective"] is True
    assert node.control.get("/readyz").status == 503
    node.junctord.restart()
    await_proof(node)


@pytest.mark.parametrize("program, hook, words", [
    ("hostile_deny", "cgroup_inet4_connect", r"connect4: connect\(\) fails .*hostile_deny"),
    ("hostile_move", "cgroup_inet4_connect", r"connect4: .*hostile_move"),
    ("hostile_rename", "cgroup_inet4_getpeername",
     r"getpeername4: getpeername\(\) says 10.1.0.4:\d+.*hostile_rename"),
])
def test_a_foreign_program_that_gets_in_the_way(own_node, hostile, program, hook, words):
    await_proof(own_node)
    with Attached(own_node, hostile, program, hook):
        assert "take it away" in await_red(own_node, words)
        answer = own_node.control.get("/readyz")
        assert answer.status == 503, "it is attached, and who connects is not led"
        assert re.search(words, answer.json["message"])
        assert own_node.control.get("/livez").status == 200, "a restart would change nothing"
    await_proof(own_node)
    assert own_node.control.get("/readyz").status == 200


def test_another_program_in_the_place_of_ours(own_node, hostile):
    """Somebody replaces the program of our link: it is attached, and of no use."""
    node = own_node
    await_proof(node)
    folder, = Path(node.pins).glob("v*")
    other = Attached(node, hostile, "hostile_rename", "cgroup_inet4_getpeername")
    kernel.link_update(folder / "jn_getpeername4", other.path)
    await_red(node, "getpeername4: .*restart junctord")
    assert hooks(node)["getpeername4"]["attached"] is True
    node.junctord.restart()
    await_proof(node)


def test_junctord_outside_of_the_cgroup_that_it_serves(bare_node):
    """Its own sockets pass no hook: a child in the cgroup makes those that do."""
    node = bare_node
    node.junctord.start(cgroup=node.machine.cgroup("served"))
    await_proof(node)
    detach(node, "sendmsg6")
    await_red(node, "sendmsg6: somebody detached")


def test_a_cgroup_that_takes_no_process(bare_node):
    """What cannot be tried out is said, and is no fault."""
    node = bare_node
    served, threads = Path(node.cgroup) / "served", Path(node.cgroup) / "threads"
    for folder in (threads, served):
        folder.mkdir()
        node.machine.callback(folder.rmdir)
    (threads / "cgroup.type").write_text("threaded", encoding="ascii")  # beside it: no process
    node.junctord.start(cgroup=served)
    wait_for(lambda: "takes no process" in hooks(node)["connect4"].get("reason", ""), "it is said")
    assert "effective" not in hooks(node)["connect4"]
    said = junctor_status(node)
    assert said.returncode == 0 and "connect4 (not tried out)" in said.stdout
    assert node.control.get("/readyz").status == 200


def await_doubt(node, words):
    """It is said why connect4 cannot be tried out, and nothing is red."""
    wait_for(lambda: re.search(words, hooks(node)["connect4"].get("reason", "")), words,
             RED_SECONDS)
    assert "effective" not in hooks(node)["connect4"] and status(node)["degraded"] == []
    assert junctor_status(node).returncode == 0


def test_no_port_is_left(own_node):
    """A canary that gets no port says nothing of the hooks."""
    await_proof(own_node)
    own_node.space.sysctl("net.ipv4.ip_local_port_range", "40000 40001")
    taken = [own_node.open_socket(kind=kind)
             for kind in [socket.SOCK_STREAM, socket.SOCK_DGRAM] * 2]
    for number, holder in enumerate(taken):
        holder.bind(("0.0.0.0", 40000 + number // 2))
    await_doubt(own_node, "no port can be had")
    for holder in taken:
        holder.close()
    await_proof(own_node)


def test_lo_is_down(own_node):
    """As early at boot: nothing is red, and what works is shown once it is up."""
    await_proof(own_node)
    own_node.ip("link", "set", "lo", "down")
    await_doubt(own_node, "fails")
    own_node.ip("link", "set", "lo", "up")
    await_proof(own_node)


def test_a_cgroup_that_is_frozen(bare_node):
    """A child that is born there does not run: nobody waits for it, and junctord can be stopped."""
    node = bare_node
    served = Path(node.machine.cgroup("served"))
    node.junctord.start(cgroup=served)
    await_proof(node)
    freezer = served / "cgroup.freeze"
    node.machine.callback(freezer.write_text, "0", encoding="ascii")
    freezer.write_text("1", encoding="ascii")
    wait_for(lambda: "is frozen" in hooks(node)["connect4"].get("reason", ""), "it is said",
             RED_SECONDS)
    assert "effective" not in hooks(node)["connect4"] and status(node)["degraded"] == []
    assert (served / "cgroup.procs").read_text(encoding="ascii") == ""
    assert node.junctord.terminate() == 0
    freezer.write_text("0", encoding="ascii")


def test_a_signal_to_a_child_is_not_for_junctord(bare_node):
    """Who stops a unit asks all in its cgroup to end: a canary's child told junctord, which left."""
    node = bare_node
    served = Path(node.machine.cgroup("served"))
    node.junctord.start(cgroup=served)
    await_proof(node)
    freezer, procs = served / "cgroup.freeze", served / "cgroup.procs"
    node.machine.callback(freezer.write_text, "0", encoding="ascii")
    freezer.write_text("1", encoding="ascii")  # it is born, and waits for a moment

    def ask_it_to_end():
        for child in procs.read_text(encoding="ascii").split():
            os.kill(int(child), signal.SIGTERM)
            freezer.write_text("0", encoding="ascii")
            return True
    wait_for(ask_it_to_end, "a child is born", RED_SECONDS)
    wait_for(lambda: not procs.read_text(encoding="ascii"), "it ends")
    await_proof(node)
    assert "stopping" not in node.junctord.log()


def test_a_cgroup_that_goes_away(bare_node):
    node = bare_node
    transient = node.machine.cgroup("transient")
    node.junctord.start(cgroup=transient)
    await_proof(node)
    Path(transient).rmdir()
    sentence = await_red(node, "connect4.*cgroup that it was attached at is gone")
    assert len(status(node)["degraded"]) == 1 and "--cgroup" in sentence
    Path(transient).mkdir()  # another one of its name helps nobody
    await_red(node, "cgroup that it was attached at is gone")


def test_a_hierarchy_that_is_a_part_of_the_hosts(bare_node):
    """As in a container that has a cgroup namespace of its own: only its part would be served."""
    node = bare_node
    mount = f"{node.folder}/cgroup"
    Path(mount).mkdir()
    node.junctord.start("unshare", "--cgroup", "--mount", "sh", "-c", ONLY_PART, "sh",
                        node.cgroup.rpartition("/")[0], mount, cgroup=None)
    await_red(node, "PartOfHost: .*in the host's cgroup namespace")


def test_ipv6_is_not_there(bare_node):
    node = bare_node
    node.space.run("ip", "-6", "address", "flush", "dev", "lo")
    node.junctord.start()
    wait_for(lambda: hooks(node)["connect4"].get("effective"), "IPv4 is tried out")
    assert "no address of this family for it (Cannot assign" in hooks(node)["connect6"]["reason"]
    assert status(node)["degraded"] == [] and junctor_status(node).returncode == 0


def test_strangers_do_not_get_into_a_canarys_way(own_node):
    """Anybody who connected to its ports, again and again, made a hook look as if it did nothing."""
    node = own_node
    await_proof(node)
    listening = [line.split()[3].rpartition(":") for line in node.said("ss", "-Hltn").splitlines()]
    assert len(listening) == 4
    for address, _, port in listening:
        stranger = node.open_socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                    timeout=0.3)
        with pytest.raises(TimeoutError):
            stranger.connect((address.strip("[]"), int(port)))
        stranger.close()


def test_a_packet_filter_on_lo(own_node):
    """Hooks are not what is wrong, and the sentence says where to look."""
    node = own_node
    await_proof(node)
    node.space.run("nft", "add table inet t; add chain inet t o { type filter hook output "
                   "priority 0; }; add rule inet t o ip daddr 127.0.0.0/8 tcp dport >= 1024 drop")
    assert "packet filter" in await_red(node, r"connect4: connect\(\) fails \(Connection timed out")


def traps(node):
    """IPv4 addresses and ports at which canaries would be caught."""
    return [tuple(line.split()[3].rsplit(":", 1)) for line in node.said("ss", "-Hltn").splitlines()
            if "127.127.74." in line]


def test_an_address_that_a_service_has(own_node):
    """Canaries keep away from it: first from its port, then, as it is guarded, from all of it."""
    node = own_node
    await_proof(node)
    (address, port), = traps(node)
    assert address == "127.127.74.78"
    node.control.declare(service("own", address, int(port), ["127.0.0.1:8081"]))
    wait_for(lambda: [where for where, _ in traps(node)] == ["127.127.74.79"], "it moves away",
             2 * RED_SECONDS)
    await_proof(node)
    assert status(node)["degraded"] == []
    wait_for(lambda: [frontend for frontend, _ in node.tables()] == [f"{address}:{port}"],
             "the service keeps it")
    node.junctord.restart()
    await_proof(node)


def test_all_addresses_of_canaries_are_services(own_node):
    """Then IPv4 is not tried out, which is said, and IPv6 flies on."""
    node = own_node
    await_proof(node)
    node.control.declare(*(service(f"own-{last}", f"127.127.74.{last}", 80, ["127.0.0.1:8081"])
                           for last in range(78, 86)))
    wait_for(lambda: node.said("ip", "route", "show", "table", "all").count("127.127.74.") == 8,
             "all of them are guarded: a canary keeps an address that it had before")
    node.junctord.restart()
    wait_for(lambda: "for it (Cannot assign" in hooks(node)["connect4"].get("reason", "") and
             hooks(node)["connect6"].get("effective"), "IPv6 flies", RED_SECONDS)
    assert status(node)["degraded"] == []


def test_canaries_leave_no_trace(own_node):
    """Neither entries nor counts, and no other server gets to see one."""
    node = own_node
    await_proof(node)
    wait_for(lambda: not node.tables(), "no frontend is left")
    assert node.control.counter("junctor_decisions_total", reason="Ok") == 0
    used = status(node)["limits"]
    assert {limit: used[limit]["used"] for limit in used if limit != "clients"} == \
        dict.fromkeys([limit for limit in used if limit != "clients"], 0)
