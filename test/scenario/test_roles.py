# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who may do what on the control socket: by the kernel's word about the client, and by accessRules.

  one node (lib/node.py); clients are curl under setpriv, each with a uid and groups of its own

  uid 2001   Read
  uid 2002   Write in namespace red
  gid 2003   Write                       (a supplementary group)
  uid 2004   Admin
  uid 2005   Read in namespace red
  others     nothing
"""

import json
import os
import stat
import subprocess

import pytest

from lib import kube
from lib.junctord import wait_for
from lib.objects import SERVICES, service

RULES = """
accessRules:
  - {uid: 2001, role: Read}
  - {uid: 2002, role: Write, namespaces: [red]}
  - {gid: 2003, role: Write}
  - {uid: 2004, role: Admin}
  - {uid: 2005, role: Read, namespaces: [red]}
"""
RED = SERVICES.replace("default", "red")
ALL = "/apis/junctor.dev/v1alpha1/localservices"
NOBODY, READER, RED_WRITER, WRITER, ADMIN, RED_READER = 65534, 2001, 2002, 3003, 2004, 2005
GROUPS = {WRITER: "2003"}
READS = ["/healthz", "/livez", "/readyz", "/metrics", "/v1/status", "/v1/wait?generation=0", ALL,
         f"{SERVICES}/web", "/apis/junctor.dev/v1alpha1/trafficpolicies"]
COULD_NOT_CONNECT = 7


def as_user(node, uid, method, target, body=None):
    """(HTTP status, body) of what one user is answered; status 0: no connection."""
    groups = [f"--groups={GROUPS[uid]}"] if uid in GROUPS else ["--clear-groups"]
    data = ["--data-binary", json.dumps(body)] if body is not None else []
    done = node.run("setpriv", f"--reuid={uid}", f"--regid={uid}", *groups,
                    "curl", "-s", "-X", method, "-w", "\n%{http_code}", *data,
                    "--unix-socket", node.socket_path, f"http://junctor{target}", check=False)
    text, _, status = done.stdout.rpartition("\n")
    assert done.returncode in (0, COULD_NOT_CONNECT), done
    return int(status), text


def status_of(*arguments):
    return as_user(*arguments)[0]


@pytest.fixture(scope="module")
def ruled(module_machine):
    from lib.node import Node
    host = Node(module_machine, "ruled")
    os.chmod(module_machine.scratch, 0o755)
    config = host.folder / "junctord.yaml"
    config.write_text(RULES, encoding="utf-8")
    host.junctord.options["--config"] = config
    host.junctord.start()
    os.chmod(host.socket_path, 0o666)
    host.control.declare(service("web", "127.96.0.10", 80, []),
                         service("web", "127.96.0.11", 80, [], namespace="red"))
    return host


@pytest.fixture(autouse=True)
def unchanged(ruled):
    before = ruled.control.specs()
    yield
    assert ruled.control.specs() == before


def test_the_socket_is_closed_to_others(own_node):
    os.chmod(own_node.machine.scratch, 0o755)
    info = os.stat(own_node.socket_path)
    assert stat.S_IMODE(info.st_mode) & 0o007 == 0
    assert info.st_uid == 0
    assert status_of(own_node, NOBODY, "GET", "/healthz") == 0


def test_who_has_no_role_learns_nothing(ruled):
    """Every path, those that are not there too; each attempt leaves a line."""
    attempts = [("GET", path) for path in READS + ["/", "/nowhere", f"{SERVICES}/nobody"]]
    attempts += [("POST", "/v1/apply"), ("POST", SERVICES), ("PUT", f"{SERVICES}/web"),
                 ("DELETE", f"{SERVICES}/web"), ("PATCH", f"{SERVICES}/web"), ("PUT", "/metrics")]
    before = audit_lines(ruled, NOBODY)
    for method, path in attempts:
        status, body = as_user(ruled, NOBODY, method, path, {} if method != "GET" else None)
        said = json.loads(body)
        assert (status, said["kind"], said["reason"]) == (403, "Status", "Forbidden"), (path, body)
        assert "accessRules" in said["message"], "what to do"
    wait_for(lambda: audit_lines(ruled, NOBODY) == before + len(attempts), "one line each")


def audit_lines(node, uid):
    return sum("audit" in line and f"uid {uid} " in line
               for line in node.junctord.log().splitlines())


def test_read_reads_everything_and_writes_nothing(ruled):
    for path in READS:
        assert status_of(ruled, READER, "GET", path) == 200, path
    assert status_of(ruled, READER, "GET", "/nowhere") == 404
    new = service("new", "127.96.0.20", 80, [])
    before = audit_lines(ruled, READER)
    for method, path in (("POST", "/v1/apply"), ("POST", "/v1/apply?dryRun=All"),
                         ("POST", SERVICES), ("PUT", f"{SERVICES}/new"),
                         ("DELETE", f"{SERVICES}/web"), ("DELETE", f"{RED}/web")):
        assert status_of(ruled, READER, method, path, new) == 403, (method, path)
    wait_for(lambda: audit_lines(ruled, READER) == before + 6, "each refused write leaves a line")


def test_a_namespace_is_all_that_is_read(ruled):
    assert status_of(ruled, RED_READER, "GET", f"{RED}/web") == 200
    assert status_of(ruled, RED_READER, "GET", f"{SERVICES}/web") == 403
    status, body = as_user(ruled, RED_READER, "GET", ALL)
    assert status == 200
    assert [one["metadata"]["namespace"] for one in json.loads(body)["items"]] == ["red"]
    _, metrics = as_user(ruled, RED_READER, "GET", "/metrics")
    assert 'namespace="red"' in metrics and 'namespace="default"' not in metrics


def test_a_namespace_is_all_that_is_written(ruled):
    red = service("new", "127.96.0.20", 80, [], namespace="red")
    other = service("new", "127.96.0.21", 80, [])
    assert status_of(ruled, RED_WRITER, "PUT", f"{SERVICES}/new", other) == 403
    assert status_of(ruled, RED_WRITER, "POST", "/v1/apply", other) == 403
    assert status_of(ruled, RED_WRITER, "DELETE", f"{SERVICES}/web") == 403
    both = {"apiVersion": "v1", "kind": "List", "items": [red, other]}
    status, body = as_user(ruled, RED_WRITER, "POST", "/v1/apply", both)
    assert status == 403
    assert "items[1]" in json.loads(body)["details"]["causes"][0]["field"]
    assert status_of(ruled, RED_WRITER, "PUT", f"{SERVICES}/new", red) in (403, 422)
    assert status_of(ruled, RED_WRITER, "POST", "/v1/apply?dryRun=All", red) == 200


def test_writers_write(ruled):
    """What is written is taken away again by another writer."""
    for uid, path, namespace in ((RED_WRITER, f"{RED}/new", "red"),
                                 (WRITER, f"{SERVICES}/new", "default"),
                                 (ADMIN, f"{SERVICES}/new", "default")):
        before = audit_lines(ruled, uid)
        new = service("new", "127.96.0.20", 80, [], namespace=namespace)
        assert status_of(ruled, uid, "PUT", path, new) == 201
        assert status_of(ruled, ADMIN if namespace == "red" else WRITER, "DELETE", path) == 200
        wait_for(lambda: audit_lines(ruled, uid) > before, "a write leaves a line")


def test_eight_places_for_a_user(ruled):
    """The ninth connection of one uid is refused, the administrator's is not."""
    holder = f"""
import os, socket, sys
os.setgroups([]); os.setresgid(2001, 2001, 2001); os.setresuid(2001, 2001, 2001)
held = [socket.socket(socket.AF_UNIX) for _ in range(9)]
for one in held:
    one.settimeout(5)
    one.connect({ruled.socket_path!r})
answers = []
for one in held:
    try:
        one.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: j\\r\\n\\r\\n")
    except OSError:
        pass
    answers.append(one.recv(100).split()[1].decode())
print(" ".join(answers), flush=True)
sys.stdin.readline()
"""
    process = ruled.start("/usr/bin/python3", "-c", holder, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().split() == ["200"] * 8 + ["429"]
    assert status_of(ruled, READER, "GET", "/healthz") == 429
    assert status_of(ruled, ADMIN, "GET", "/healthz") == 200
    assert ruled.control.get("/healthz").status == 200
    process.communicate("\n")


def test_the_group_junctor_reads(bare_node):
    """Where that group exists: the socket is its, and its members read."""
    os.chmod(bare_node.machine.scratch, 0o755)
    groups = bare_node.folder / "group"
    with open("/etc/group", encoding="ascii") as lines:
        known = [line for line in lines if not line.startswith("junctor:")]
    groups.write_text("".join(known) + "junctor:x:4242:\n", encoding="ascii")
    bare_node.junctord.start("unshare", "--mount", "sh", "-c",
                             'mount --bind "$0" /etc/group && exec "$@"', groups)
    info = os.stat(bare_node.socket_path)
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (0, 4242, 0o660)
    GROUPS[4001] = "4242"
    assert status_of(bare_node, 4001, "GET", "/v1/status") == 200
    assert status_of(bare_node, 4001, "DELETE", f"{SERVICES}/web") == 403
    assert status_of(bare_node, 4002, "GET", "/v1/status") == 0


def test_a_role_in_one_namespace_is_none_over_nodes(ruled):
    """A Node is in no namespace: a rule that names some does not hold for it."""
    node = kube.node("node-a", "z1")
    path = f"{kube.NODES}/node-a"
    assert status_of(ruled, RED_WRITER, "PUT", path, node) == 403
    assert status_of(ruled, RED_WRITER, "POST", "/v1/apply", node) == 403
    assert status_of(ruled, RED_READER, "GET", path) == 403
    assert status_of(ruled, WRITER, "PUT", path, node) == 201
    assert status_of(ruled, READER, "GET", path) == 200
    status, body = as_user(ruled, RED_READER, "GET", kube.NODES)
    assert (status, json.loads(body)["items"]) == (200, [])
    assert status_of(ruled, WRITER, "DELETE", path) == 200
