# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A start that cannot succeed says in one sentence what is missing, and leaves nothing attached.

  one node (lib/node.py) for each test, without a junctord; some in a mount namespace of their own,
  in which something is hidden
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from lib import kernel
from lib.junctord import wait_for
from lib.node import built
from lib.objects import service

HIDE = ["unshare", "--mount", "sh", "-ec"]


def start(node, *prefix, flags=None):
    return node.run(*prefix, built("junctord"), *(flags or node.junctord.flags()), check=False,
                    timeout=20)


def assert_refused(node, done, *words, code=1):
    """One sentence on stderr, which has these words; nothing of junctor in the kernel."""
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stdout == ""
    sentences = [line for line in done.stderr.splitlines() if line.startswith("junctord: ")]
    assert len(sentences) == 1, done.stderr
    for word in words:
        assert re.search(word, sentences[0], re.I), (word, sentences[0])
    assert kernel.attached(node.cgroup) == {}
    assert kernel.pinned(node.pins) == {}


# --- the machine ----------------------------------------------------------------------------------
def test_no_cgroup2(bare_node):
    """Every cgroup2 mount is hidden, and no --cgroup says where to look."""
    unmount = """
awk '/ - cgroup2 / { print $5 }' /proc/self/mountinfo | sort -r | xargs -r -n 1 umount -l
exec "$0" "$@"
"""
    done = start(bare_node, *HIDE, unmount, flags=bare_node.junctord.flags(cgroup=None))
    assert_refused(bare_node, done, "cgroup2", "mount")


def test_a_cgroup_that_is_none(bare_node):
    done = start(bare_node, flags=bare_node.junctord.flags(cgroup=bare_node.folder))
    assert_refused(bare_node, done, "cgroup", str(bare_node.folder))
    done = start(bare_node, flags=bare_node.junctord.flags(cgroup=bare_node.cgroup + "/nowhere"))
    assert_refused(bare_node, done, "cgroup", "nowhere")


def test_no_bpffs_and_no_right_to_mount_one(bare_node):
    pins = bare_node.folder / "no-bpffs"
    done = start(bare_node, "setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin",
                 flags=bare_node.junctord.flags(pin_dir=pins))
    assert_refused(bare_node, done, "bpf", "mount")


def test_no_btf(bare_node):
    done = start(bare_node, *HIDE, 'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"')
    assert_refused(bare_node, done, "BTF")


def test_no_privilege(bare_node):
    done = start(bare_node, "setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
    assert_refused(bare_node, done, "CAP_BPF", "CAP_NET_ADMIN", "root")
    done = start(bare_node, "setpriv", "--bounding-set", "-net_admin,-sys_admin", "--inh-caps",
                 "-net_admin,-sys_admin")
    assert_refused(bare_node, done, "CAP_NET_ADMIN", "root")
    done = start(bare_node, "setpriv", "--bounding-set", "-perfmon,-sys_admin", "--inh-caps",
                 "-perfmon,-sys_admin")
    assert_refused(bare_node, done, "CAP_PERFMON", "root")


def test_few_privileges_are_enough(bare_node):
    """What README.md names, beside what it takes to use the folders of root."""
    keep = "-all,+bpf,+net_admin,+dac_override,+perfmon"
    bare_node.junctord.start("setpriv", "--bounding-set", keep, "--inh-caps", keep)
    bare_node.control.declare(service("web", "127.96.0.10", 80, []))


# --- another daemon -------------------------------------------------------------------------------
@pytest.mark.parametrize("shared", ["pin_dir", "state_dir"])
def test_a_second_daemon(own_node, shared):
    others = {"pin_dir": own_node.machine.bpffs("second"), "state_dir": own_node.folder / "second",
              "socket": own_node.folder / "second.sock"}
    others.pop(shared)
    before = kernel.pinned(own_node.pins)
    done = start(own_node, flags=own_node.junctord.flags(**others))
    assert done.returncode == 1
    assert f"{own_node.junctord.pid}" in done.stderr, "who holds it"
    assert kernel.pinned(own_node.pins) == before
    assert own_node.control.get("/readyz").status == 200
    assert len(kernel.attached(own_node.cgroup)) == 8


def test_a_socket_that_is_in_use(own_node):
    done = start(own_node, flags=own_node.junctord.flags(
        pin_dir=own_node.machine.bpffs("second"), state_dir=own_node.folder / "second"))
    assert done.returncode == 1
    assert own_node.socket_path in done.stderr
    assert own_node.control.get("/readyz").status == 200
    assert len(kernel.attached(own_node.cgroup)) == 8


def test_a_stale_socket_is_replaced(own_node):
    own_node.junctord.kill()
    assert os.path.exists(own_node.socket_path)
    own_node.junctord.start()


def test_a_socket_path_that_is_a_file(bare_node):
    Path(bare_node.socket_path).write_text("precious", encoding="ascii")
    assert_refused(bare_node, start(bare_node), re.escape(bare_node.socket_path))
    assert Path(bare_node.socket_path).read_text(encoding="ascii") == "precious"


# --- pins -----------------------------------------------------------------------------------------
def test_a_pin_that_is_not_ours_is_refused_unread(own_node):
    node = own_node
    node.junctord.terminate()
    names = kernel.pinned(node.pins)
    victim = next(name for name, (kind, _) in names.items() if kind == "map" and "sets" in name)
    other = next(name for name, (kind, _) in names.items() if kind == "map" and "names" in name)
    os.unlink(os.path.join(node.pins, victim))
    subprocess.run(["bpftool", "map", "pin", "pinned", os.path.join(node.pins, other),
                    os.path.join(node.pins, victim)], check=True)
    done = start(node)
    assert done.returncode == 1
    assert os.path.basename(victim) in done.stderr
    assert len(kernel.attached(node.cgroup)) == 8, "what serves goes on serving"


# --- what it was told -----------------------------------------------------------------------------
FLAGS = [(["--nonsense"], "--nonsense"), (["--socket"], "--socket"),
         (["--log-level", "loud"], "loud|debug"), (["--offline", "party"], "cleanup"),
         (["extra"], "extra"), (["-x"], "-x"), (["--check=yes"], "--check"),
         (["--socket", ""], "--socket")]


@pytest.mark.parametrize("flags, word", FLAGS, ids=[" ".join(flags) for flags, _ in FLAGS])
def test_a_bad_flag(bare_node, flags, word):
    done = bare_node.run(built("junctord"), *flags, check=False)
    assert_refused(bare_node, done, word, code=2)


CONFIGURATIONS = {
    "an unknown key": ("socket: /run/x.sock\nsokcet: /run/y.sock\n", 2, "socket"),
    "a list for a text": ("socket: [1]\n", 1, "socket"),
    "an unknown level": ("log-level: loud\n", 1, "log-level"),
    "a key twice": ("socket: /a\nsocket: /b\n", 2, "twice"),
    "a tab": ("\n\n\tsocket: /a\n", 3, "YAML"),
    "an unknown role": ("accessRules:\n  - {uid: 1, role: Reader}\n", 2, "Read"),
    "a uid and a gid": ("accessRules:\n  - {uid: 1, gid: 1, role: Read}\n", 2, "uid|gid"),
    "neither uid nor gid": ("accessRules:\n  - {role: Read}\n", 2, "uid|gid"),
    "a negative uid": ("accessRules:\n  - {uid: -1, role: Read}\n", 2, "uid"),
    "no mapping": ("- a\n", 1, "mapping|key"),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_bad_configuration(bare_node, name):
    text, line, word = CONFIGURATIONS[name]
    config = bare_node.folder / "bad.yaml"
    config.write_text(text, encoding="utf-8")
    for check in ([], ["--check"]):
        done = start(bare_node, flags=[*bare_node.junctord.flags(config=config), *check])
        assert_refused(bare_node, done, f"{re.escape(str(config))}:{line}:", word)


def test_a_configuration_that_is_not_there(bare_node):
    done = start(bare_node, flags=bare_node.junctord.flags(config="/nowhere/junctord.yaml"))
    assert_refused(bare_node, done, "/nowhere/junctord.yaml")


def test_check_and_version_start_nothing(bare_node):
    config = bare_node.folder / "good.yaml"
    config.write_text("log-level: debug\naccessRules:\n  - {uid: 1, role: Read}\n")
    done = bare_node.run(built("junctord"), "--config", config, "--check")
    assert done.returncode == 0
    assert bare_node.said(built("junctord"), "--version").startswith("junctord ")
    assert kernel.pinned(bare_node.pins) == {} and not bare_node.state.exists()


def test_check_names_all_that_a_start_would_refuse(bare_node):
    """Each fault on a line, with the place that says it; and nothing is made."""
    folder = bare_node.folder
    (folder / "file").write_text("x", encoding="ascii")
    (folder / "bad.d").mkdir()
    (folder / "bad.d" / "web.yaml").write_text("apiVersion: junctor.dev/v1alpha1\n"
                                               "kind: LocalServices\n", encoding="ascii")
    (folder / "bad.d" / "none.json").write_text("\n", encoding="ascii")
    config = folder / "junctord.yaml"
    config.write_text(f"log-level: info\nsocket: {folder}/file\ncgroup: {folder}\n"
                      f"state-dir: {folder}/file/state\npin-dir: {folder}\n"
                      f"services-dir: {folder}/bad.d\n", encoding="utf-8")
    done = bare_node.run(built("junctord"), "--check", "--config", config, check=False)
    assert done.returncode == 1 and done.stdout == ""
    found = [line.removeprefix("junctord: ") for line in done.stderr.splitlines()]
    places = [f"{config}:2: ", f"{config}:3: ", f"{config}:5: ", f"{config}:4: ",
              f"{folder}/bad.d/none.json: ", f"{folder}/bad.d/web.yaml:2: "]
    assert len(found) == len(places), found
    for line, place in zip(found, places):
        assert line.startswith(place), (line, place)
    done = bare_node.run(built("junctord"), "--check", "--socket", "/" + "s" * 108, check=False)
    assert done.returncode == 1 and done.stderr.startswith("junctord: --socket: "), done.stderr
    assert not bare_node.state.exists()


def refused_paths(node):
    """(flag, path): what a start does not take."""
    folder = node.folder
    (folder / "file").write_text("x", encoding="ascii")
    (folder / "loop").symlink_to("loop")
    (folder / "lost").symlink_to("/nowhere/x")
    (folder / "kept" / "state.db").mkdir(parents=True)
    name = "n" * 256
    for path in (f"{folder}/kept", f"{folder}/new/", f"{folder}/loop/x", f"{folder}/lost/x",
                 f"{folder}/lost", f"{folder}/file/x", "/proc/x", "/proc/x/y", "/",
                 f"{node.pins}/x", f"{node.cgroup}/x", f"{folder}/" + "s" * 108):
        yield "socket", path
    for path in (f"{folder}/{name}", f"{folder}/{name}/x", f"{folder}/loop/x", f"{folder}/loop",
                 f"{folder}/lost", f"{folder}/file", f"{folder}/kept", "/proc/x", "/sys/x",
                 f"{node.pins}/x"):
        yield "state_dir", path
    for path in (f"{node.pins}/a.b", f"{node.pins}/a.b/c", f"{node.pins}/{name}", f"{folder}/loop",
                 f"{folder}/lost", f"{folder}/file/x", f"{folder}/kept", "/proc/x"):
        yield "pin_dir", path
    for path in (f"{folder}/kept", f"{node.cgroup}/cgroup.procs", f"{node.cgroup}/none",
                 "/proc/self", f"{folder}/{name}", f"{folder}/loop"):
        yield "cgroup", path


def test_check_refuses_each_path_that_a_start_refuses(bare_node):
    """A link that leads nowhere, a name that is too long, a place that keeps no files, ..."""
    for flag, path in refused_paths(bare_node):
        flags = bare_node.junctord.flags(**{flag: path})
        assert start(bare_node, flags=flags).returncode == 1, (flag, path)
        done = start(bare_node, flags=[*flags, "--check"])
        assert done.returncode == 1, (flag, path)
        assert done.stderr.startswith(f"junctord: --{flag.replace('_', '-')}: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


def test_check_of_a_daemon_that_runs(own_node):
    done = start(own_node, flags=[*own_node.junctord.flags(), "--check"])
    assert (done.returncode, done.stdout) == (0, "configuration is valid\n"), done.stderr


# --- who else may write ---------------------------------------------------------------------------
CAREFUL, STRANGER = 0, 4711
WRITABLE = {  # what of: (owner, group, mode), and the sentence
    "config": ((CAREFUL, CAREFUL, 0o622), "anybody.* can give themselves every role"),
    "state": ((CAREFUL, STRANGER, 0o770), "its group.* can change what was declared"),
    "services.d": ((STRANGER, CAREFUL, 0o755), "somebody else than root.* can declare services"),
    "services.d/web.yaml": ((CAREFUL, STRANGER, 0o664), "its group.* can declare services"),
    "state/state.db": ((CAREFUL, CAREFUL, 0o606), "anybody.* can change what was declared"),
    ".": ((CAREFUL, CAREFUL, 0o777), "anybody.* can declare services"),
}


def let_in(node, what=None):
    """Flags of a start whose files only root may write, but for one."""
    folder = node.folder / "etc"
    files = [folder / name for name in ("config", "state/state.db", "services.d/web.yaml")]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    files[2].write_text(json.dumps(service("web", "127.96.0.10", 80, [])), encoding="ascii")
    (folder / "shop.json").write_text(json.dumps(service("shop", "127.96.0.11", 80, [])),
                                      encoding="ascii")
    files[2].with_name("shop.json").symlink_to("../shop.json")  # a link's own mode says nothing
    if what:
        (owner, group, mode), _ = WRITABLE[what]
        os.chown(folder / what, owner, group)
        os.chmod(folder / what, mode)
    return node.junctord.flags(config=files[0], state_dir=folder / "state",
                               services_dir=folder / "services.d")


@pytest.mark.parametrize("what", [None, *WRITABLE])
def test_files_that_others_may_write(bare_node, what):
    """That is told by a start, --check and the doctor, and is no reason not to serve."""
    flags = let_in(bare_node, what)
    checked = start(bare_node, flags=[*flags, "--check"])
    examined = start(bare_node, flags=[*flags, "--offline", "doctor"])
    assert checked.returncode == 0, checked.stderr
    findings = [one["message"] for one in json.loads(examined.stdout)["findings"]
                if one["check"] == "trust"]
    if not what:
        assert "warning" not in checked.stderr
        assert findings == ["nobody but root may write the configuration, what was declared, and "
                            "the files that declare"]
        return
    path = os.path.normpath(bare_node.folder / "etc" / what)
    words = f"{re.escape(path)} .*{WRITABLE[what][1]}; unless.*chmod go-w {re.escape(path)}"
    assert re.search(f"^warning daemon: {words}", checked.stderr, re.M), checked.stderr
    assert re.search(words, "\n".join(findings)), findings


def test_a_start_beside_others_who_may_write(bare_node):
    let_in(bare_node, "services.d")
    folder = bare_node.folder / "etc"
    bare_node.junctord.start(config=folder / "config", services_dir=folder / "services.d")
    assert f"warning daemon: {folder}/services.d belongs to" in bare_node.junctord.log()
    assert bare_node.control.get("/v1/status").json["degraded"] == []


def test_flags_win_over_the_configuration(bare_node):
    config = bare_node.folder / "other.yaml"
    config.write_text(f"socket: {bare_node.folder}/other.sock\nstate-dir: {bare_node.state}\n"
                      f"pin-dir: {bare_node.pins}\ncgroup: {bare_node.cgroup}\n")
    bare_node.junctord.start(config=config, state_dir=None, pin_dir=None, cgroup=None)
    assert not os.path.exists(bare_node.folder / "other.sock")
    assert len(kernel.attached(bare_node.cgroup)) == 8


def test_folders_are_made(bare_node):
    folders = bare_node.folder / "made"
    bare_node.socket_path = str(folders / "run" / "control")
    bare_node.control.path = bare_node.socket_path
    bare_node.junctord.start(socket=bare_node.socket_path, state_dir=folders / "lib" / "state",
                             pin_dir=f"{bare_node.pins}/deep/down")
    assert (folders / "lib" / "state" / "state.db").exists()
    assert os.stat(folders / "run").st_mode & 0o777 == 0o750
    assert kernel.pinned(f"{bare_node.pins}/deep/down")


def test_bpffs_is_mounted_where_there_is_none(bare_node):
    """In a mount namespace of its own, which takes the mount with it."""
    pins = bare_node.folder / "fresh"
    bare_node.junctord.start("unshare", "--mount", pin_dir=pins)
    mounts = Path(f"/proc/{bare_node.junctord.pid}/mounts").read_text(encoding="ascii")
    assert f" {pins} bpf " in mounts
    bare_node.junctord.terminate()
    wait_for(lambda: not kernel.attached(bare_node.cgroup), "the links go with the last mount")


def test_too_few_descriptors_say_so(bare_node):
    done = start(bare_node, "prlimit", "--nofile=12:12")
    assert_refused(bare_node, done, "file|descriptor")


def test_readiness_is_told_to_who_asked(bare_node):
    """sd_notify: READY=1 once it serves, STOPPING=1 when it goes."""
    import socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(bare_node.folder / "notify"))
        notify.settimeout(10)
        bare_node.junctord.start("env", f"NOTIFY_SOCKET={bare_node.folder}/notify")
        assert b"READY=1" in notify.recv(4096)
        bare_node.junctord.terminate()
        assert b"STOPPING=1" in notify.recv(4096)
