# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is installed: files, the configuration as it is shipped, the unit, the Debian package.

  below a folder of its own (DESTDIR); nothing is installed on this machine and nothing is started
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lib.node import BUILD, TOP, built

PACKAGING = TOP / "scripts/packaging"
SHIPPED = PACKAGING / "junctord.yaml"
MOST_EXPOSURE = 2.5


def run(*command, check=True, **environment):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                          check=False, env={**os.environ, **environment})
    if check:
        assert done.returncode == 0, (done.args, done.stdout, done.stderr)
    return done


def install(verb, root, prefix="/usr"):
    return run(TOP / "scripts/install.sh", verb, BUILD=str(BUILD), DESTDIR=str(root), PREFIX=prefix,
               SYSCONFDIR="/etc", UNITDIR="").stdout


def tree(root):
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
            for path in Path(root).rglob("*")}


@pytest.fixture
def root(tmp_path):
    """A machine's folders, with files of others in them."""
    for folder in ("usr/sbin", "usr/bin", "usr/lib/systemd/system", "usr/lib/sysusers.d",
                   "usr/lib/tmpfiles.d", "usr/share/doc/other", "usr/share/man/man1",
                   "usr/share/man/man5", "usr/share/man/man8", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/share/man/man8/junctor-of-others.8").write_text("x")
    (tmp_path / "usr/bin/junction").write_text("x")
    return tmp_path


# --- files ----------------------------------------------------------------------------------------
def test_uninstall_removes_what_install_put(root):
    before = tree(root)
    install("install", root)
    installed = tree(root)
    for name in ("usr/sbin/junctord", "usr/bin/junctor", "usr/lib/systemd/system/junctord.service",
                 "etc/junctor/junctord.yaml", "etc/junctor/services.d",
                 "usr/share/man/man5/junctord.yaml.5", "usr/share/doc/junctor/README.md"):
        assert name in installed
    install("uninstall", root)
    assert tree(root) == before


def test_what_others_wrote_stays(root):
    install("install", root)
    config, services = root / "etc/junctor/junctord.yaml", root / "etc/junctor/services.d"
    config.write_text("log-level: debug\n")
    (services / "web.yaml").write_text("x")
    assert "kept" in install("install", root)
    assert config.read_text() == "log-level: debug\n"
    assert "kept" in install("uninstall", root)
    assert config.exists() and (services / "web.yaml").exists()
    assert not (root / "usr/share/doc/junctor").exists()


def test_another_prefix(root):
    install("install", root, "/opt/junctor")
    unit = (root / "opt/junctor/lib/systemd/system/junctord.service").read_text()
    assert "ExecStart=/opt/junctor/sbin/junctord\n" in unit
    assert (root / "etc/junctor/junctord.yaml").exists()


# --- the configuration ----------------------------------------------------------------------------
@pytest.mark.parametrize("prefix", ["/opt/a&b", "/opt/a|b", "/opt/a b", "/opt/100%", "opt"])
def test_a_prefix_that_the_unit_cannot_name(root, prefix):
    """It stood there changed, or install stopped half-way."""
    before = tree(root)
    done = run(TOP / "scripts/install.sh", "install", BUILD=str(BUILD), DESTDIR=str(root),
               PREFIX=prefix, check=False)
    assert done.returncode == 2 and prefix in done.stderr
    assert tree(root) == before


def keys_of(table):
    source = (TOP / "userspace/daemon/config.c").read_text()
    body = re.search(rf"struct key {table}\[\] = {{(.*?)\n}};", source, re.S)[1]
    return re.findall(r'{ "([^"]+)"', body)


def uncommented():
    return re.sub(r"^#(?=[a-zA-Z-]+:( |$)|  (- |  )\w+: )", "", SHIPPED.read_text(), flags=re.M)


def test_the_shipped_configuration_is_valid_and_changes_nothing():
    assert all(not line or line.startswith("#") for line in SHIPPED.read_text().splitlines())
    run(built("junctord"), "--check", "--config", SHIPPED)


def test_each_key_is_explained_and_its_example_is_valid(tmp_path):
    text = SHIPPED.read_text()
    manual = (TOP / "docs/man/junctord.yaml.5").read_text()
    for key in keys_of("settings_items"):
        assert len(re.findall(rf"\n# [^\n]+\n#{key}:", text)) == 1, f"{key} is explained once"
    for key in keys_of("settings_items") + keys_of("rule_items"):
        assert re.search(rf"^\.It Cm .*\b{key}\b", manual, re.M), key
    for key in keys_of("rule_items"):
        assert re.search(rf"^#  (- |  ){key}: ", text, re.M), key
    whole = tmp_path / "whole.yaml"
    # What it says of the machine is the machine's to judge.
    whole.write_text(re.sub(r"^cgroup: .*\n", "", uncommented(), flags=re.M))
    run(built("junctord"), "--check", "--config", whole)
    assert set(re.findall(r"^([a-zA-Z-]+):", uncommented(), re.M)) == set(keys_of("settings_items"))


# --- the unit -------------------------------------------------------------------------------------
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")


@needs_systemd
def test_the_unit_is_right_and_sandboxed(tmp_path):
    run(TOP / "scripts/install.sh", "install", BUILD=str(BUILD), DESTDIR="",
        PREFIX=str(tmp_path / "usr"), SYSCONFDIR=str(tmp_path / "etc"), UNITDIR="")
    unit = tmp_path / "usr/lib/systemd/system/junctord.service"
    done = run("systemd-analyze", "verify", "--man=no", unit)
    assert (done.stdout, done.stderr) == ("", "")
    done = run("systemd-analyze", "security", "--offline=yes", unit)
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)[1])
    assert exposure <= MOST_EXPOSURE


@needs_systemd
def test_group_and_folder(tmp_path):
    (tmp_path / "etc").mkdir()
    run("systemd-sysusers", f"--root={tmp_path}", PACKAGING / "junctor.sysusers.conf")
    group = re.search(r"^junctor:[^:]*:(\d+):", (tmp_path / "etc/group").read_text(), re.M)
    run("systemd-tmpfiles", f"--root={tmp_path}", "--create", PACKAGING / "junctor.tmpfiles.conf")
    folder = os.stat(tmp_path / "run/junctor")
    assert (folder.st_mode & 0o7777, folder.st_uid, folder.st_gid) == (0o750, 0, int(group[1]))


# --- the Debian package ---------------------------------------------------------------------------
def test_one_version():
    version = re.search(r'JN_VERSION "(.*)"', (TOP / "userspace/base/version.h").read_text())[1]
    changelog = (PACKAGING / "debian/changelog").read_text()
    assert re.match(r"junctor \((.*)\) ", changelog)[1] == version


@pytest.fixture
def purged(tmp_path):
    """What `apt purge` runs last, in a mount namespace with a /run and a /var/lib of its own."""
    for tool, script in (("getent", "test -e /run/group"), ("groupdel", "rm /run/group")):
        (tmp_path / tool).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / tool).chmod(0o755)

    def purge(before, after):
        script = f"""set -e
            mount -t tmpfs none /run; mount -t tmpfs none /var/lib
            PATH={tmp_path}:$PATH; cd /var/lib; {before}
            sh {PACKAGING}/debian/junctor.postrm remove
            sh {PACKAGING}/debian/junctor.postrm purge
            {after}"""
        return run("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
    return purge


def test_a_purge_leaves_nothing_of_ours(purged):
    purged("mkdir junctor; touch junctor/state.db junctor/state.db-wal junctor/state.db.damaged-1",
           "! test -e junctor")
    purged("", "! test -e junctor")


def test_a_purge_while_the_state_folder_is_a_mount_point(purged):
    """It emptied the file system, of files of others, too, and failed again each time."""
    done = purged("mkdir junctor; mount -t tmpfs none junctor; mkdir junctor/lost+found; "
                  "touch junctor/state.db", "ls junctor")
    assert done.stdout == "lost+found\n"
    assert "/var/lib/junctor stays" in done.stderr


def test_a_purge_while_the_state_folder_is_a_link(purged):
    """It took the link and left the state."""
    done = purged("mkdir disk; touch disk/state.db disk/other; ln -s disk junctor",
                  "ls; ls disk")
    assert done.stdout == "disk\nother\n"


def test_a_purge_takes_its_own_group_only(purged):
    """It took an administrator's group of this name, too."""
    install = f"sh {PACKAGING}/debian/junctor.preinst"
    purged(f"{install} install; touch /run/group; {install} install 0.0.9",
           "! test -e /run/group; ! test -e junctor")
    purged(f"touch /run/group; {install} install; {install} upgrade 0.0.9",
           "test -e /run/group; ! test -e junctor")


def test_a_removal_while_the_folder_of_the_socket_is_a_mount_point(purged):
    """It failed, and the package could not be removed."""
    purged("mkdir /run/junctor; mount -t tmpfs none /run/junctor", "mountpoint -q /run/junctor")


def test_deps_install_what_the_package_needs():
    """On a fresh Debian `scripts/deps.sh deb && make deb` failed: nothing brought build-essential."""
    text = (TOP / "scripts/deps.sh").read_text()
    brought = set(text[text.index("packages=("):text.index("others=(")].split())
    control = (PACKAGING / "debian/control").read_text()
    needed = re.search(r"^Build-Depends:\n(.*?)^\S", control, re.M | re.S).group(1)
    needed = {line.split()[0].rstrip(",") for line in needed.splitlines()}
    needed -= {"debhelper-compat", "dh-sequence-installsysusers"}  # debhelper's
    assert needed | {"build-essential", "debhelper"} <= brought


@pytest.mark.slow
def test_the_package_is_clean_and_the_same_twice(tmp_path):
    """lintian finds nothing (scripts/deb.sh), and the place where it is built leaves no trace."""
    packages = []
    for name in ("one", "another/place"):
        run(TOP / "scripts/deb.sh", BUILD=str(tmp_path / name))
        package, = (tmp_path / name / "deb").glob("junctor_*.deb")
        packages.append(package.read_bytes())
    assert packages[0] == packages[1]
