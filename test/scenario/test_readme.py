# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The five-minute tour of README.md, run as it stands there.

  namespaces of its own: network (lo only), mount, cgroup
    /run, /var/lib, /tmp/tour   empty tmpfs: the tour uses the default paths
    cgroup2                     its root is the test's own cgroup
    127.0.0.1:8081, :8082       the tour's two servers
    127.96.0.10:80              the tour's service

Every line after a `$ ` in a console block is run, all in one bash, and what it prints must have the
shape the README shows: the same words in the same lines, with any numbers.
"""

import re
import signal
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
README = TOP / "README.md"
MARK = "=== command"
JOB_ENDED = re.compile(r"\[\d+\][+-]? +(Terminated|Done|Killed)\b")
TIMEOUT_SECONDS = 120

PROLOGUE = """
set -m +e
exec 2>&1
ip link set lo up
umount -l "$CGROUP2" && mount -t cgroup2 none "$CGROUP2"
mkdir -p /tmp/tour
for folder in /run /var/lib /tmp/tour; do mount -t tmpfs none "$folder"; done
[ ! -d /etc/junctor ] || mount -t tmpfs none /etc/junctor
"""


def tour():
    """[(command, output as the README shows it)] of the section called Tour."""
    section = re.search(r"^## [^\n]*tour[^\n]*\n(.*?)^## ", README.read_text(), re.M | re.S | re.I)
    assert section, "README.md has no section for the tour"
    steps = []
    for block in re.findall(r"^```console\n(.*?)^```", section.group(1), re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def shape(lines):
    """Lines with every number, and every choice of one server, made equal. What bash says of its
    jobs is left out: it says it otherwise at a terminal. So is that the cgroup2 here is a part of
    the host's, which it is."""
    shaped = []
    text = re.sub(r"^(Degraded: +)yes\n  - PartOfHost: .*\n(?!  - )", r"\1no\n", "\n".join(lines),
                  flags=re.M)
    for line in text.splitlines():
        if line.startswith("bash: line") or JOB_ENDED.match(line):
            continue
        line = re.sub(r"^(blue|green)$", "SERVER", line.strip())
        line = re.sub(r"\d+(\.\d+)?", "N", line)
        shaped.append(re.sub(r"\s+", " ", line))
    return [line for line in shaped if line]


def cgroup2_mount():
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            return Path(line.split()[4])
    pytest.fail("no cgroup2 is mounted")


@pytest.fixture
def cgroup(request):
    folder = cgroup2_mount() / f"junctor-readme-{request.node.name[:32]}"
    folder.mkdir()
    yield folder
    (folder / "cgroup.kill").write_text("1")
    for _ in range(100):
        try:
            folder.rmdir()
            return
        except OSError:
            signal.sigtimedwait([], 0.1)
    folder.rmdir()


def test_tour(cgroup):
    steps = tour()
    assert len(steps) >= 10
    script = PROLOGUE
    for number, (command, _) in enumerate(steps):
        script += f"echo '{MARK} {number}'\n{command}\n"
    script += f"echo '{MARK} end'\n"
    join = f"echo $$ > {cgroup}/cgroup.procs && exec unshare --net --mount --cgroup bash"
    done = subprocess.run(
        ["bash", "-c", join],
        input=script,
        capture_output=True,
        text=True,
        cwd=TOP,
        timeout=TIMEOUT_SECONDS,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C",
             "CGROUP2": str(cgroup2_mount())},
        check=False,
    )
    printed = re.split(rf"^{MARK} (?:\d+|end)\n", done.stdout, flags=re.M)
    assert len(printed) == len(steps) + 2, done.stdout + done.stderr
    for (command, expected), output in zip(steps, printed[1:]):
        assert shape(output.splitlines()) == shape(expected), f"$ {command}\n{output}"
