# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a run borrows from the machine, and gives back on every way out.

Network namespaces without a default route, veth pairs, cgroups below the cgroup2 mount, bpffs
mounts, a scratch folder, processes. All names carry the pid, so two runs do not meet. Measures
nothing.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time


class Broken(Exception):
    """The run cannot go on: one sentence that says what and why."""


def run(*command, **options):
    """Runs a command to its end; a failure is Broken, with what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **options)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise Broken(f"{' '.join(map(str, command))[:200]}: {said[-600:]}")
    return done.stdout


def find_mount(kind):
    with open("/proc/self/mountinfo", encoding="ascii") as lines:
        for line in lines:
            fields, rest = line.split(" - ")
            if rest.startswith(f"{kind} "):
                return fields.split()[4]
    raise Broken(f"no {kind} mount: mount one (mount -t {kind} none DIR)")


def forgive(step, *arguments):
    """A step of the way out: what is gone already is gone."""
    with contextlib.suppress(Broken, OSError):
        step(*arguments)


class Namespace:
    """A network namespace of the run."""

    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"

    def run(self, *command, **options):
        return run("nsenter", f"--net={self.path}", *command, **options)

    def sysctl(self, name, value):
        self.run("sysctl", "-qw", f"{name}={value}")

    def snmp(self, protocol, counter):
        """A counter of /proc/net/snmp, as this namespace sees it."""
        lines = [line.split() for line in self.run("cat", "/proc/net/snmp").splitlines()
                 if line.startswith(f"{protocol}:")]
        return int(lines[1][lines[0].index(counter)])


class Machine(contextlib.ExitStack):
    """The owner of everything borrowed; leave the with-block and it is gone."""

    def __init__(self, scratch_parent):
        super().__init__()
        if os.geteuid():
            raise Broken("the bench needs root: namespaces, cgroups and BPF statistics")
        self.tag = f"jnb{os.getpid()}"
        self.cgroup_root = find_mount("cgroup2")
        self.links = 0
        self.scratch = tempfile.mkdtemp(prefix="run-", dir=scratch_parent)
        self.callback(shutil.rmtree, self.scratch, ignore_errors=True)

    def folder(self, name):
        path = os.path.join(self.scratch, name)
        os.makedirs(path)
        return path

    def namespace(self, name):
        space = Namespace(f"{self.tag}-{name}")
        self.callback(forgive, run, "ip", "netns", "del", space.name)
        run("ip", "netns", "add", space.name)
        run("ip", "-n", space.name, "link", "set", "lo", "up")
        # Both ends of a benchmark use up ports faster than people do.
        space.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        return space

    @staticmethod
    def remove_namespace(space):
        """Before the run's end: for those with more in them than can wait."""
        run("ip", "netns", "del", space.name)

    def link(self, client, server):
        """A veth pair; returns the address on the server's side."""
        self.links += 1
        net, here, there = f"10.201.{self.links}", f"c{self.links}", f"s{self.links}"
        run("ip", "-n", client.name, "link", "add", here, "type", "veth",
            "peer", "name", there, "netns", server.name)
        for space, device, host in ((client, here, 1), (server, there, 2)):
            run("ip", "-n", space.name, "address", "add", f"{net}.{host}/24", "dev", device)
            run("ip", "-n", space.name, "link", "set", device, "up")
        return f"{net}.2"

    def cgroup(self, name):
        path = f"{self.cgroup_root}/{self.tag}-{name}"
        self.callback(self.remove_cgroup, path)
        os.mkdir(path)
        return path

    @staticmethod
    def remove_cgroup(path):
        for _ in range(50):
            try:
                os.rmdir(path)
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.1)  # the last process is still on its way out

    def bpffs(self, name):
        path = self.folder(name)
        run("mount", "-t", "bpf", "none", path)
        self.callback(forgive, run, "umount", path)
        return path

    def start(self, *command, **options):
        """A process of the run, ended at the latest with it."""
        process = subprocess.Popen([str(word) for word in command], **options)
        self.callback(stop, process)
        return process


def stop(process, how=signal.SIGTERM, seconds=10):
    """Ends a process that this run started."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            forgive(stream.close)


def leave_on_signals():
    """SIGTERM and SIGHUP end the run as SIGINT does: through every cleanup."""
    def leave(number, _frame):
        raise KeyboardInterrupt(signal.Signals(number).name)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
