# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What junctord tells a service manager, and what a service manager tells it.

  one node (lib/node.py) for each test; the manager is a datagram socket, which the test reads
"""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from lib.junctord import wait_for
from lib.objects import service

INTERVAL = 0.4  # of the watchdog, in seconds
NOBODY = 65534


class Manager:
    """The end of a service manager: NOTIFY_SOCKET, and the watchdog where `interval` is given."""

    def __init__(self, node, interval=None):
        self.node = node
        self.path = node.folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.environment = [f"NOTIFY_SOCKET={self.path}"]
        if interval:
            self.environment.append(f"WATCHDOG_USEC={int(interval * 1e6)}")
        node.machine.callback(self.socket.close)

    def start(self, **flags):
        self.node.junctord.start("env", *self.environment, **flags)

    def told(self):
        """What was said since the last time, each message a dictionary."""
        messages = []
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return messages
            messages.append(dict(line.split("=", 1) for line in text.splitlines()))

    def await_told(self, name, seconds=10):
        """The messages up to the one that has this name, which is the last."""
        messages = []

        def has_come():
            messages.extend(self.told())
            return any(name in message for message in messages)
        wait_for(has_come, f"{name} is told: {messages}", seconds)
        return messages

    def beats_in(self, seconds):
        """How often it is told that all is well from now on."""
        self.told()
        time.sleep(seconds)
        return sum("WATCHDOG" in message for message in self.told())


@pytest.fixture
def manager(bare_node):
    return Manager(bare_node)


@pytest.fixture
def watchdog(bare_node):
    return Manager(bare_node, INTERVAL)


# --- the watchdog ---------------------------------------------------------------------------------
def test_nobody_who_does_not_watch_is_told(manager):
    manager.start()
    manager.await_told("READY")
    assert manager.beats_in(2 * INTERVAL) == 0


def test_who_watches_is_told_in_half_the_interval(watchdog):
    watchdog.start()
    watchdog.await_told("READY")
    beats = watchdog.beats_in(5 * INTERVAL)
    assert 5 <= beats <= 11, "about ten"


def test_a_process_that_hangs_tells_nothing(watchdog):
    watchdog.start()
    watchdog.await_told("WATCHDOG")
    os.kill(watchdog.node.junctord.pid, signal.SIGSTOP)
    assert watchdog.beats_in(3 * INTERVAL) == 0
    os.kill(watchdog.node.junctord.pid, signal.SIGCONT)
    watchdog.await_told("WATCHDOG")


def test_a_write_that_the_kernel_refuses_stops_the_watchdog(watchdog):
    """The table of frontends is frozen: from then on the kernel takes no entry of it."""
    node = watchdog.node
    watchdog.start()
    node.control.declare(service("web", "127.96.0.10", 80, []))
    table, = Path(node.pins).glob("v*/jn_frontends")
    subprocess.run(["bpftool", "map", "freeze", "pinned", table], check=True)
    assert watchdog.beats_in(2 * INTERVAL) > 0, "nothing was written yet"
    answer = node.control.put(service("shop", "127.96.0.11", 80, []))
    assert answer.status == 503, answer
    wait_for(lambda: "start junctord again" in node.junctord.log(), "it says so")
    assert watchdog.beats_in(3 * INTERVAL) == 0
    assert node.control.get("/livez").status == 200, "the loop itself is well"


# --- SIGHUP ---------------------------------------------------------------------------------------
def write(config, **keys):
    config.write_text("".join(f"{name.replace('_', '-')}: {value}\n"
                              for name, value in keys.items()), encoding="utf-8")


def reload(manager):
    """SIGHUP; returns what status says is degraded afterwards."""
    manager.told()
    os.kill(manager.node.junctord.pid, signal.SIGHUP)
    messages = manager.await_told("READY")
    assert [next(iter(message)) for message in messages] == ["RELOADING", "READY"]
    assert int(messages[0]["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    return manager.node.control.get("/v1/status").json["degraded"], messages[1]["STATUS"]


@pytest.fixture
def config(manager):
    path = manager.node.folder / "junctord.yaml"
    write(path, log_level="info")
    manager.start(config=path)
    manager.await_told("READY")
    return path


def test_the_log_level_changes_at_once(manager, config):
    node = manager.node
    write(config, log_level="error")
    degraded, status = reload(manager)
    assert degraded == [] and status.startswith("serving")
    before = node.junctord.log()
    node.control.declare(service("web", "127.96.0.10", 80, []))
    assert node.junctord.log() == before
    write(config, log_level="info")
    reload(manager)
    node.control.declare(service("shop", "127.96.0.11", 80, []))
    assert node.junctord.log() != before


def test_access_rules_change_at_once(manager, config):
    node = manager.node
    os.chmod(node.machine.scratch, 0o755)
    os.chmod(node.socket_path, 0o666)

    def asked():
        said = node.said("setpriv", f"--reuid={NOBODY}", "--clear-groups", "curl", "-s", "-w",
                         "\n%{http_code}", "--unix-socket", node.socket_path,
                         "http://junctor/v1/status")
        return said.splitlines()[-1]

    assert asked() == "403"
    write(config, accessRules=f"[{{uid: {NOBODY}, role: Read}}]")
    assert reload(manager)[0] == []
    assert asked() == "200"
    write(config)
    assert reload(manager)[0] == []
    assert asked() == "403"


def test_the_control_group_is_looked_up_again(manager):
    """A group that was made after the start stayed locked out until the next one."""
    node = manager.node
    os.chmod(node.machine.scratch, 0o755)
    os.chmod(node.folder, 0o755)
    groups = node.folder / "group"
    groups.write_text("root:x:0:\n", encoding="ascii")
    node.socket_path = node.control.path = str(node.folder / "run" / "control")
    node.junctord.start("unshare", "--mount", "sh", "-ec",
                        'mount --bind "$0" /etc/group && exec "$@"', groups, "env",
                        *manager.environment, socket=node.socket_path)
    manager.await_told("READY")

    def asked():
        done = node.run("setpriv", f"--reuid={NOBODY}", "--regid=4242", "--clear-groups", "curl",
                        "-s", "-o", "/dev/stdout", "-w", "\n%{http_code}", "--unix-socket",
                        node.socket_path, "http://junctor/v1/status", check=False)
        return done.stdout.splitlines()[-1]

    assert asked() == "000"
    groups.write_text("root:x:0:\njunctor:x:4242:\n", encoding="ascii")
    assert reload(manager)[0] == []
    assert asked() == "200"
    assert os.stat(node.socket_path).st_mode & 0o777 == 0o660
    groups.write_text("root:x:0:\n", encoding="ascii")
    assert reload(manager)[0] == []
    assert asked() == "000"
    assert os.stat(node.socket_path).st_mode & 0o777 == 0o600


def test_each_key_that_needs_a_restart_is_named(bare_node):
    """None of them changes; and the log says so, too."""
    node = bare_node
    keys = {"socket": node.socket_path, "cgroup": node.cgroup, "pin_dir": node.pins,
            "state_dir": node.state, "node_name": "one",
            "services_dir": node.folder / "services.d", "guardRoutes": "true"}
    path = node.folder / "junctord.yaml"
    write(path, **keys)
    node.junctord.start(config=path, socket=None, cgroup=None, pin_dir=None, state_dir=None,
                        services_dir=None)
    changed = {key: f"{value}x" for key, value in keys.items()} | {"guardRoutes": "false"}
    write(path, **changed)
    os.kill(node.junctord.pid, signal.SIGHUP)
    wait_for(lambda: "read again" in node.junctord.log(), "it is read again")
    degraded = wait_for(lambda: node.control.get("/v1/status").json["degraded"], "it is said")
    assert [line.split(";")[0] for line in degraded] == [
        f"RestartNeeded: {key.replace('_', '-')} is {changed[key]} in the configuration, and "
        f"{value} in this run, where it cannot change" for key, value in keys.items()]
    for line in degraded:
        assert line in node.junctord.log()


def test_what_cannot_change_is_named_and_stays(manager, config):
    node = manager.node
    write(config, log_level="info", guardRoutes="false")
    degraded, status = reload(manager)
    assert len(degraded) == 1 and degraded[0].startswith("RestartNeeded: guardRoutes is false")
    assert "see junctor status" in status
    write(config, log_level="info", state_dir="/nowhere")
    assert reload(manager)[0] == [], "the flag --state-dir goes on winning"
    node.control.declare(service("web", "127.96.0.10", 80, []))


def test_a_bad_configuration_changes_nothing_and_is_named(manager, config):
    node = manager.node
    config.write_text("log-level: loud\nsokcet: /a\naccessRules: []\n", encoding="utf-8")
    degraded, status = reload(manager)
    assert [text.split("; ")[0] for text in degraded] == [
        f"ConfigurationRefused: {config}:1: log-level must be error, warning, info or debug",
        f"ConfigurationRefused: {config}:2: unknown key 'sokcet'"]
    assert "see junctor status" in status
    for text in degraded:
        assert text in node.junctord.log()
    assert node.control.counter("junctor_degraded") == 2
    config.unlink()
    degraded, _ = reload(manager)
    assert len(degraded) == 1 and "cannot be read" in degraded[0]
    write(config)
    assert reload(manager)[0] == []


def holds_reload(task):
    """Whether this thread holds SIGHUP back."""
    text = Path(task, "status").read_text(encoding="ascii")
    return bool(int(text.split("SigBlk:")[1].split()[0], 16) & 1 << signal.SIGHUP - 1)


def test_signals_are_for_the_loop_only(manager):
    """A worker that took SIGHUP in the last moments of junctord would end it."""
    node = manager.node
    manager.start()
    tasks = {int(task.name): holds_reload(task)
             for task in Path(f"/proc/{node.junctord.pid}/task").iterdir()}
    assert not tasks.pop(node.junctord.pid)
    assert tasks and all(tasks.values())


def test_a_signal_that_comes_too_early_waits(manager):
    """SIGHUP while junctord starts: the configuration is read again when it is up."""
    node = manager.node
    node.junctord.launch("env", *manager.environment)
    wait_for(lambda: holds_reload(f"/proc/{node.junctord.pid}"), "the signal is held from the first line of it on")
    assert not manager.told()
    os.kill(node.junctord.pid, signal.SIGHUP)
    node.junctord.await_ready()
    wait_for(lambda: "read again" in node.junctord.log(), "and the configuration is read")


def test_a_signal_that_comes_too_late_changes_nothing(manager):
    """SIGHUP while junctord leaves ended it by a signal, in its last moment."""
    node = manager.node
    for _ in range(10):
        manager.told()  # or its queue gets full, and junctord waits
        process = node.junctord.launch("env", *manager.environment)
        node.junctord.await_ready()
        manager.told()
        process.send_signal(signal.SIGTERM)
        while process.poll() is None:
            process.send_signal(signal.SIGHUP)
            time.sleep(0.0002)
        assert process.returncode == 0
