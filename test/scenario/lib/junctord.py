# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The daemon of a node: started, asked whether it is ready, stopped, killed, started again.

It has no opinion about what junctord should serve. The log of all its lives is one file.
"""

import os
import signal
import time
from pathlib import Path

from machine import Broken, stop

START_SECONDS = 20


def wait_for(question, what, seconds=10.0):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.01)


class Junctord:
    def __init__(self, node):
        self.node = node
        self.process = None
        self.program = None  # another build of junctord; None: the one that is tested
        self.log_path = node.folder / "junctord.log"
        self.options = {"--socket": node.socket_path, "--cgroup": node.cgroup,
                        "--pin-dir": node.pins, "--state-dir": node.state,
                        "--services-dir": node.folder / "services.d"}

    def flags(self, **changed):
        """The command line; junctord.flags(state_dir="/x") changes one flag, None drops it."""
        options = {**self.options,
                   **{"--" + name.replace("_", "-"): value for name, value in changed.items()}}
        return [str(word) for flag, value in options.items() if value is not None
                for word in (flag, value)]

    def launch(self, *prefix, **changed):
        """Starts it and does not wait. prefix: a program that becomes junctord (prlimit, ...)."""
        from lib.node import built
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = self.node.start(*prefix, self.program or built("junctord"),
                                           *self.flags(**changed),
                                           stdout=log, stderr=log)
        return self.process

    def start(self, *prefix, **changed):
        """Starts it; returns the seconds until it was ready."""
        begin = time.monotonic()
        self.launch(*prefix, **changed)
        self.await_ready()
        return time.monotonic() - begin

    def await_ready(self):
        end = time.monotonic() + START_SECONDS
        said = "it was never asked"
        while time.monotonic() < end and self.process.poll() is None:
            try:
                said = self.node.control.get("/readyz")
                if said.status == 200:
                    return
            except OSError as error:
                said = error
            time.sleep(0.01)
        raise Broken(f"junctord is not ready: {said!r}; {self.log()[-1200:].strip()}")

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def terminate(self):
        """SIGTERM; returns its exit code."""
        stop(self.process, signal.SIGTERM)
        return self.process.returncode

    def restart(self, **changed):
        self.kill()
        return self.start(**changed)

    def await_end(self, seconds=10):
        return self.process.wait(seconds)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def open_files(self):
        return [int(fd) for fd in os.listdir(f"/proc/{self.pid}/fd")]

    def cpu_seconds(self):
        """CPU time of all its threads."""
        words = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
