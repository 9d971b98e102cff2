# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""junctor doctor names what is in the way on a machine, each with its remedy, and leaves nothing.

  one node (lib/node.py) for each test, and real situations made in it; the verb runs in the node
  what the kernel of this machine cannot do anyway is no fault of the test: only differences are told
"""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from lib import kernel
from lib.clients import connect, http_name
from lib.junctord import wait_for
from lib.node import built
from lib.objects import service
from machine import find_mount, run

BPF = Path(__file__).parent / "bpf"
HOOKS = [f"{call}{family}" for call in ("connect", "getpeername", "sendmsg", "recvmsg")
         for family in "46"] + ["sock_release", "sockops"]
TRIED = ["programs and tables of this build load, and all ten hooks attach",
         r"programs are compiled \(JIT\)",
         *(f"hook {hook} does what it must" for hook in HOOKS),
         "a call that is refused gets the errno that is meant",
         "hooks know this network namespace",
         "connections of an IPv6 socket to an IPv4 address are led",
         "datagrams of an IPv6 socket to an IPv4 address are led",
         "the program of junctor trace tells what hooks do",
         "the records of sockets of all network namespaces are found",
         "a TCP socket in another network namespace can be ended over netlink",
         "tables and programs can be exchanged while they serve, and outlive who made them"]


def doctor(node, *flags, prefix=(), **options):
    where = [] if "--cgroup" in flags else ["--cgroup", node.cgroup]
    return node.run(*prefix, built("junctor"), "doctor", "--pin-dir", node.pins, *where,
                    *(flag for flag in flags if flag != "--cgroup"), check=False, **options)


def findings(node, *flags, **options):
    """[(result, "check: message")], and the exit code."""
    said = doctor(node, "-o", "json", *flags, **options)
    assert said.stdout, said.stderr
    report = json.loads(said.stdout)
    found = [(one["result"], f"{one['check']}: {one['message']}") for one in report["findings"]]
    for word, count in (("Failure", report["failures"]), ("Warning", report["warnings"])):
        assert [result for result, _ in found].count(word) == count
    assert said.returncode == (1 if report["failures"] else 0)
    return found


def assert_found(found, result, words):
    assert [line for kind, line in found if kind == result and re.match(words, line)], \
        (result, words, found)


def has_function(name):
    """May programs call it? Each has its set of those, which says so."""
    symbols = Path("/proc/kallsyms").read_text(encoding="ascii")
    return re.search(rf" {name}$", symbols, re.M) is not None


def bad(found):
    """But for what this kernel cannot do: test_what_this_kernel_lacks."""
    return [line for kind, line in found if kind != "Good"
            and (has_function("bpf_sock_destroy") or not line.startswith("sock-kfunc: "))]


def left_by_doctor():
    return [*Path("/tmp").glob("junctor-doctor*"),
            *Path(find_mount("cgroup2")).rglob("junctor-doctor*")] + \
        [line for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
         if "junctor-doctor" in line]


def compiled(name, folder):
    compiler = next(found for word in ("clang-19", "clang-14", "clang")
                    if (found := shutil.which(word)))
    include = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True,
                             check=True).stdout.strip()
    path = folder / f"{name}.o"
    subprocess.run([compiler, "-O2", "-g", "-target", "bpf", "-I", f"/usr/include/{include}", "-c",
                    BPF / f"{name}.bpf.c", "-o", path], check=True)
    return path


def load(node, object_path):
    folder = node.machine.bpffs("stranger")
    node.machine.callback(shutil.rmtree, folder, ignore_errors=True)
    run("bpftool", "prog", "loadall", str(object_path), f"{folder}/progs")
    return folder


def attach(node, object_path, program, hook):
    folder = load(node, object_path)
    run("bpftool", "cgroup", "attach", node.cgroup, hook, "pinned", f"{folder}/progs/{program}",
        "multi")
    node.machine.callback(run, "bpftool", "cgroup", "detach", node.cgroup, hook, "pinned",
                          f"{folder}/progs/{program}")


def test_a_machine_without_a_fault(bare_node):
    found = findings(bare_node)
    assert bad(found) == []
    for words in TRIED:
        assert_found(found, "Good", f"self-test: {words}$")
    assert_found(found, "Good", "guards: guard routes stop connections that no hook saw")
    warnings = 0 if has_function("bpf_sock_destroy") else 1
    assert doctor(bare_node).stdout.endswith(f"\n0 failed, {warnings} warnings\n")
    assert left_by_doctor() == []


def test_what_this_kernel_lacks(bare_node, tmp_path):
    """Each kernel has the lines that are true of it, whether they are good or not."""
    found = findings(bare_node)
    if has_function("bpf_sock_destroy"):
        assert_found(found, "Good", r"sock-kfunc: programs can end sockets \(bpf_sock_destroy\)")
        assert_found(found, "Good", "self-test: a UDP socket in another network namespace can be")
    else:
        assert_found(found, "Warning", "sock-kfunc: programs cannot end sockets.*boot Linux 6.5")
        assert "by a program" not in str(found)
    folder = load(bare_node, compiled("foreign", tmp_path))
    try:
        kernel.attach_first(bare_node.cgroup, f"{folder}/progs/foreign_connect4",
                            "cgroup_inet4_connect")
    except OSError:
        assert_found(found, "Good", r"self-test: no program can run before all others \(no BPF_F_PRE")
    else:
        assert_found(found, "Good", r"self-test: programs of others may run before all.*PREORDER")


@pytest.mark.skipif(not kernel.is_ours(), reason="switches the compiler of a whole kernel off")
def test_programs_are_interpreted(bare_node):
    switch = Path("/proc/sys/net/core/bpf_jit_enable")
    before = switch.read_text(encoding="ascii")
    switch.write_text("0", encoding="ascii")
    try:
        said = doctor(bare_node)
        started = bare_node.run(built("junctord"), *bare_node.junctord.flags(), check=False)
    finally:
        switch.write_text(before, encoding="ascii")
    refusal = r"the kernel interprets programs.*\(sysctl net.core.bpf_jit_enable=1\)"
    assert said.returncode == 1 and re.search(f"FAILED   self-test: {refusal}", said.stdout)
    assert re.search("sock-kfunc: programs that are interpreted cannot.*bpf_jit_enable=1", said.stdout)
    assert said.stderr == "", "libbpf speaks to the debug log only"
    assert started.returncode == 1 and re.search(f"^junctord: {refusal}", started.stderr)
    assert kernel.attached(bare_node.cgroup) == {} == kernel.pinned(bare_node.pins)


def test_beside_a_junctord_that_serves(own_node):
    node = own_node
    node.servers.http(a="127.0.0.1:8081")
    node.control.declare(service("web", "127.96.0.10", 80, ["127.0.0.1:8081"]))
    before = node.tables()
    found = findings(node)
    assert bad(found) == []
    assert_found(found, "Good", "pins: .* is held by a junctord")
    assert_found(found, "Good", "links: 8 hooks are attached")
    assert node.tables() == before
    with connect(node, "127.96.0.10", 80) as client:
        assert http_name(client) == "a"


def features(node):
    """{name: what the running junctord found out about it}, once all were tried."""
    return {one["name"]: one for one in wait_for(lambda: node.control.status()["features"],
                                                 "the features have been tried")}


def test_features_of_a_junctord_are_what_doctor_finds(own_node):
    found = features(own_node)
    assert list(found) == ["membarrier", "sock-destroy", "sock-kfunc"]
    for name, one in found.items():
        assert one["available"] == ("reason" not in one)
        said = one.get("reason", "")
        assert_found(findings(own_node), "Good" if one["available"] else "Warning",
                     f"{name}: {re.escape(said)}")
    assert found["sock-kfunc"]["available"] == has_function("bpf_sock_destroy")


def test_a_feature_that_is_lacking_is_told(bare_node):
    node = bare_node
    node.ip("address", "flush", "dev", "lo")
    node.junctord.start()
    reason = features(node)["sock-destroy"]["reason"]
    assert re.match(r"no socket on 127\.0\.0\.1 .*; set lo up$", reason)
    text = node.run(built("junctor"), "status", "--socket", node.socket_path, check=False).stdout
    assert re.search(r"^Features: .*sock-destroy \(NOT available\)", text, re.M)
    assert f"\n  - {reason}\n" in text
    assert f"sock-destroy: {reason}" in node.junctord.log()


def test_what_a_dead_junctord_left(own_node):
    node = own_node
    node.control.declare(service("web", "10.96.0.1", 80, ["10.1.0.1:8081"]))
    node.junctord.terminate()
    (Path(node.pins) / "v1").mkdir(mode=0o700)
    found = findings(node)
    assert_found(found, "Warning", r"pins: .*/v\d+ serves on without a junctord.*start junctord")
    assert_found(found, "Warning", "pins: .*/v1 holds tables and hooks of another version")
    assert_found(found, "Warning", "routes: 1 guard routes are there and no junctord is.*cleanup")
    (Path(node.pins) / "v1").rmdir()
    node.run(built("junctor"), "cleanup", "--pin-dir", node.pins, "--cgroup", node.cgroup)
    assert bad(findings(node)) == []


def test_hooks_of_another_junctor(own_node):
    """Dead or alive, with pins elsewhere: it serves what it was told beside ours, and nobody said so."""
    said = own_node.run(built("junctor"), "doctor", "--pin-dir", f"{own_node.pins}/elsewhere",
                        "--cgroup", own_node.cgroup, check=False).stdout
    assert re.search("^warning  foreign-programs: 8 programs of another junctor .*--pin-dir", said, re.M)
    assert_found(findings(own_node), "Good", "foreign-programs: nobody else")


def test_links_at_a_dead_cgroup(bare_node):
    node = bare_node
    transient = node.machine.cgroup("transient")
    node.junctord.start(cgroup=transient)
    Path(transient).rmdir()
    assert_found(findings(node), "Failure", "links: 8 hooks are pinned and attached nowhere.*restart")


def test_addresses_without_guards(bare_node):
    node = bare_node
    config = node.folder / "junctord.yaml"
    config.write_text("guardRoutes: false\n", encoding="utf-8")
    node.junctord.start(config=config)
    node.control.declare(service("web", "10.96.0.1", 80, ["10.1.0.1:8081"]))
    assert_found(findings(node), "Warning",
                 r"routes: 1 frontends \(10.96.0.1 first\) have no guard route.*guardRoutes on")


def test_programs_of_others(bare_node, tmp_path):
    attach(bare_node, compiled("foreign", tmp_path), "foreign_connect4", "cgroup_inet4_connect")
    found = findings(bare_node)
    assert len(bad(found)) == 1
    assert_found(found, "Warning",
                 r"foreign-programs: program foreign_connect \(id \d+\).* at hook connect4.*detach")


@pytest.mark.parametrize("program, hook, words", [
    ("hostile_deny", "cgroup_inet4_connect", r"hook connect4 does not work.*connect\(\) fails"),
    ("hostile_rename", "cgroup_inet4_getpeername", "hook getpeername4 does not work.*10.1.0.4"),
])
def test_programs_that_get_in_the_way(bare_node, tmp_path, program, hook, words):
    """They run for our trial, too, as its cgroup is below theirs."""
    attach(bare_node, compiled("hostile", tmp_path), program, hook)
    assert_found(findings(bare_node), "Failure", f"self-test: {words}.*bpftool cgroup tree")
    assert left_by_doctor() == []


def test_kube_proxy_was_here(bare_node):
    node = bare_node
    for words in ("add table ip nat", "add chain ip nat KUBE-SERVICES"):
        node.run("nft", *words.split())
    assert_found(findings(node), "Warning",
                 r"kube-proxy: 1 chains of kube-proxy \(KUBE-SERVICES first\).*--cleanup")
    node.run("nft", "delete", "table", "ip", "nat")
    node.run("nft", "add", "table", "inet", "kube-proxy")
    node.run("nft", "add", "chain", "inet", "kube-proxy", "services")
    node.ip("link", "add", "kube-ipvs0", "type", "veth", "peer", "name", "nobody")
    found = findings(node)
    assert_found(found, "Warning", r"kube-proxy: 1 chains of kube-proxy \(services first\)")
    assert_found(found, "Warning", "kube-proxy: the device kube-ipvs0")


@pytest.mark.parametrize("program", ["iptables-legacy", "ip6tables-legacy"])
def test_kube_proxy_was_here_with_the_older_iptables(bare_node, program):
    """Its chains are in no list of nftables."""
    node = bare_node
    for chain in ("MINE", "KUBE-SERVICES", "KUBE-SVC-ABC"):
        node.run(program, "-t", "nat", "-N", chain)
    node.run(program, "-t", "nat", "-A", "OUTPUT", "-j", "KUBE-SERVICES")
    assert_found(findings(node), "Warning",
                 r"kube-proxy: 2 chains of kube-proxy \(KUBE-S(ERVICES|VC-ABC) first\).*--cleanup")
    node.run(program, "-t", "nat", "-F")
    node.run(program, "-t", "nat", "-X")
    assert bad(findings(node)) == []


def test_asking_makes_no_table_of_the_older_iptables(bare_node):
    before = bare_node.said("cat", "/proc/net/ip_tables_names")
    findings(bare_node)
    assert bare_node.said("cat", "/proc/net/ip_tables_names") == before


def test_a_part_of_the_hierarchy(bare_node):
    node = bare_node
    mount = node.folder / "cgroup"
    mount.mkdir()
    script = 'umount -l "$1" && mount -t cgroup2 none "$2" && shift 2 && exec "$@"'
    said = node.run("unshare", "--cgroup", "--mount", "sh", "-c", script, "sh",
                    node.cgroup.rpartition("/")[0], mount, built("junctor"), "doctor", "--pin-dir",
                    node.pins, check=False)
    assert "cgroup: " in said.stdout and "is a part of the host's hierarchy only" in said.stdout


def test_lo_is_down(bare_node):
    found = findings(bare_node, prefix=("unshare", "--net"))  # where it was never set up
    assert_found(found, "Warning", "sock-destroy: no socket on 127.0.0.1.*set lo up")
    assert_found(found, "Warning", "self-test: hook connect4 could not be tried out.*mend that")
    assert_found(found, "Good", "self-test: IPv6 is off here")


@pytest.fixture
def trial(bare_node):
    """A doctor that stands still in the middle of its trial."""
    process = bare_node.start(built("junctord"), "--offline", "doctor", "--pin-dir", bare_node.pins,
                              "--cgroup", bare_node.cgroup, stdout=subprocess.PIPE)
    wait_for(lambda: list(Path(bare_node.cgroup).glob("junctor-doctor*")), "it is under way")
    process.send_signal(signal.SIGSTOP)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("remover", ["doctor", "cleanup"])
def test_a_doctor_that_was_killed(bare_node, trial, remover):
    """It leaves its folder and its cgroup, which the next one removes, and says so."""
    trial.kill()
    trial.wait()
    assert len(left_by_doctor()) == 2
    if remover == "doctor":
        found = findings(bare_node)
        assert bad(found) == []
        assert_found(found, "Good", "leftovers: 2 folders and cgroups of a trial.*were removed$")
    else:
        said = bare_node.said(built("junctor"), "cleanup", "--pin-dir", bare_node.pins, "--cgroup",
                              bare_node.cgroup)
        assert "removed 2 folders and cgroups of a junctor doctor that was killed\n" in said
    assert left_by_doctor() == []
    assert_found(findings(bare_node), "Good", "leftovers: nothing is left of a trial")


def test_a_doctor_beside_another(bare_node, trial):
    """What a live trial works with is no leftover."""
    before = left_by_doctor()
    assert_found(findings(bare_node), "Good", "leftovers: nothing is left of a trial")
    assert left_by_doctor() == before and len(before) == 2
    trial.send_signal(signal.SIGCONT)
    report = json.loads(trial.communicate()[0])
    assert [one for one in report["findings"] if one["result"] == "Failure"] == []
    assert left_by_doctor() == []


def test_leftovers_that_are_somebody_elses(bare_node, tmp_path):
    """A stranger's folder of such a name stays, and what it leads to; so does one with things in it."""
    (tmp_path / "pins").mkdir()
    link = Path("/tmp/junctor-doctor-link")
    link.symlink_to(tmp_path)
    bare_node.machine.callback(link.unlink)
    foreign = Path("/tmp/junctor-doctor-foreign")
    foreign.mkdir()
    os.chown(foreign, 65534, 65534)
    bare_node.machine.callback(foreign.rmdir)
    full = Path("/tmp/junctor-doctor-full")
    full.mkdir()
    (full / "mine").touch()
    bare_node.machine.callback(shutil.rmtree, full)
    found = findings(bare_node)
    assert_found(found, "Warning", "leftovers: /tmp/junctor-doctor-full is left.*not empty.*rmdir")
    assert (tmp_path / "pins").is_dir() and foreign.is_dir() and (full / "mine").exists()


def test_few_files(bare_node):
    found = findings(bare_node, prefix=("prlimit", "--nofile=200:200"))
    assert_found(found, "Warning", "files: a process may have 200 files open.*LimitNOFILE")


def test_not_root(bare_node):
    said = doctor(bare_node, prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    assert said.returncode == 1 and "run it as root" in said.stderr
    assert os.geteuid() == 0  # it was the capabilities that were missing
