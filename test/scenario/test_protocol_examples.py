# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The examples of docs/control-protocol.md, in their order, and the files of examples/.

  one node (lib/node.py); the document's curl is one that knows the node's control socket

An answer must be the one shown, whatever its numbers and line breaks; "…" stands for anything.
"""

import json
import re
import shlex
from pathlib import Path

from lib.node import built
from lib.objects import policy

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "control-protocol.md"
CURL = 'curl() { command curl -sS --unix-socket "$SOCKET" "$@"; }\n'


def is_whole(command):
    try:
        shlex.split(command)
    except ValueError:  # a quote is open
        return False
    return not command.endswith("\\")


def examples():
    """[(command, answer)] of the console blocks that show an answer."""
    found = []
    for block in re.findall(r"^```console\n\$ (.*?)^```", DOCUMENT.read_text(), re.M | re.S):
        lines = block.splitlines()
        count = next(n for n in range(1, len(lines) + 1) if is_whole("\n".join(lines[:n])))
        if lines[count:]:
            found.append(("\n".join(lines[:count]), "\n".join(lines[count:])))
    return found


def shape(text):
    return re.sub(r"\d+", "N", re.sub(r"\s+", "", text))


def test_examples(own_node):
    shown = examples()
    assert len(shown) >= 5
    (own_node.folder / "objects.json").write_text(json.dumps(policy("web", "web")))
    for command, answer in shown:
        said = own_node.said("bash", "-c", f"cd {own_node.folder}; {CURL}{command}",
                             env={"SOCKET": own_node.socket_path, "PATH": "/usr/bin:/bin"})
        wanted = re.escape(shape(answer)).replace("…", ".*")
        assert re.fullmatch(wanted, shape(said)), f"$ {command}\n{said}"


def test_every_file_of_examples_is_taken(own_node):
    files = sorted((DOCUMENT.parents[1] / "examples").iterdir())
    assert len(files) >= 8
    for file in files:
        # Each by itself: some show another form of the same service.
        said = own_node.said(built("junctor"), "--socket", own_node.socket_path, "apply", "-f", file)
        assert re.search(r"\b(created|configured|unchanged)\b", said), f"{file}: {said}"
        remove_all(own_node)


def remove_all(node):
    for group, plural in (("/apis/junctor.dev/v1alpha1", "localservices"),
                          ("/apis/junctor.dev/v1alpha1", "trafficpolicies"),
                          ("/api/v1", "services")):
        for item in node.control.get(f"{group}/{plural}").json["items"]:
            metadata = item["metadata"]
            answer = node.control.request(
                "DELETE",
                f"{group}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}")
            assert answer.status == 200, answer
