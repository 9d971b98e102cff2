# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The command line tool: every verb against a running junctord, what it prints and where, its codes.

  one node (lib/node.py); junctor runs in it
  VIP 127.96.0.10  fd00:96::10, 80/TCP  ->  nginx a 127.0.0.1:8081, b 127.0.0.2:8081 (weight 2)
  VIP 127.96.0.53, 53/UDP and 53/TCP    ->  127.0.0.1

Exit codes: 0 ok, 1 failed, 2 usage, 3 daemon unreachable, 4 not found, 5 rejected, 6 degraded,
7 timed out.
"""

import json
import shutil
import subprocess
import time

import pytest

from lib import kernel
from lib.clients import connect_errno, names_at
from lib.files import Files, text_of
from lib.node import built
from lib.objects import backend, policy, service

OK, FAILED, USAGE, UNREACHABLE, NOT_FOUND, REJECTED, DEGRADED, TIMED_OUT = range(8)
DNS = [{"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53}]


def web(weight=2):
    return service("web", ["127.96.0.10", "fd00:96::10"], 80,
                   ["127.0.0.1:8081", backend("127.0.0.2:8081", weight=weight)])


@pytest.fixture(scope="module")
def world(node):
    node.servers.http(a="127.0.0.1:8081", b="127.0.0.2:8081")


@pytest.fixture
def declared(node, world):
    node.control.declare(web(), service("dns", "127.96.0.53", DNS, ["127.0.0.1"]),
                         service("web", "127.96.0.60", 80, [], namespace="red"),
                         policy("web", "web", algorithm="RoundRobin"))


@pytest.fixture
def junctor(node, declared):
    """junctor(word, ...): runs it with --socket; .code(code, word, ...) also checks its code."""
    def run(*words, code=OK, **options):
        done = node.run(built("junctor"), "--socket", node.socket_path, *words, check=False,
                        **options)
        assert done.returncode == code, done
        if code in (OK, DEGRADED):
            assert done.stderr == "", "stdout is data, stderr is talk"
        else:
            assert done.stderr.startswith("junctor: "), done
            assert done.stdout == "", done
        return done
    return run


# --- get ------------------------------------------------------------------------------------------
def table(done):
    """Rows of a table as lists of words; the first one is its head."""
    return [line.split() for line in done.stdout.splitlines()]


def test_get_services(junctor):
    head, *rows = table(junctor("get", "services"))
    assert all(word == word.upper() for word in head) and "NAME" in head
    names = [row[head.index("NAME")] for row in rows]
    assert sorted(names) == ["dns", "web", "web"], "of every namespace"
    text = junctor("get", "services").stdout
    for word in ("127.96.0.10", "fd00:96::10", "127.96.0.53", "80", "UDP"):
        assert word in text


def test_get_one_service(junctor):
    text = junctor("get", "services", "web").stdout
    assert "127.96.0.10" in text and "127.96.0.53" not in text


def test_get_backends(junctor):
    text = junctor("get", "backends").stdout
    assert "127.0.0.1" in text and "127.0.0.2" in text and "8081" in text and "53" in text
    only_dns = junctor("get", "backends", "dns").stdout
    assert "53" in only_dns and "127.0.0.2" not in only_dns


def test_get_policies(junctor):
    text = junctor("get", "policies").stdout
    assert "web" in text and "RoundRobin" in text
    assert "RoundRobin" in junctor("get", "policies", "web").stdout


def test_get_as_json(junctor):
    listed = json.loads(junctor("get", "services", "-o", "json").stdout)
    assert listed["kind"].endswith("List")
    assert sorted(one["metadata"]["name"] for one in listed["items"]) == ["dns", "web", "web"]
    one = json.loads(junctor("get", "services", "web", "-o", "json").stdout)
    assert (one["kind"], one["metadata"]["namespace"]) == ("LocalService", "default")
    assert one["spec"]["backends"][1] == {"address": "127.0.0.2:8081", "weight": 2}
    policies = json.loads(junctor("-o", "json", "get", "policies").stdout)
    assert [one["spec"]["algorithm"] for one in policies["items"]] == ["RoundRobin"]


def test_get_as_names(junctor):
    lines = junctor("get", "services", "-o", "name").stdout.split()
    assert len(lines) == 3 and sum("dns" in line for line in lines) == 1
    assert len(junctor("get", "services", "web", "-o", "name").stdout.split()) == 1


def test_get_what_is_not_there(junctor):
    for kind in ("services", "policies", "backends"):
        assert "nobody" in junctor("get", kind, "nobody", code=NOT_FOUND).stderr


def test_get_nothing(junctor, node):
    node.control.remove("/apis/junctor.dev/v1alpha1/namespaces/default/trafficpolicies/web")
    junctor("get", "policies")
    assert json.loads(junctor("get", "policies", "-o", "json").stdout)["items"] == []


def test_describe_service(junctor):
    text = junctor("describe", "service", "web").stdout
    for word in ("web", "default", "127.96.0.10", "fd00:96::10", "80", "TCP", "127.0.0.1",
                 "127.0.0.2", "8081", "RoundRobin"):
        assert word in text, word
    junctor("describe", "service", "nobody", code=NOT_FOUND)


# --- apply, delete --------------------------------------------------------------------------------
def test_apply_a_file(junctor, node):
    path = node.folder / "web.json"
    path.write_text(json.dumps(web(weight=1), indent=2), encoding="utf-8")
    assert "configured" in junctor("apply", "-f", path).stdout
    assert names_at(node, "127.96.0.10", count=10) == {"a": 5, "b": 5}
    assert "unchanged" in junctor("apply", "-f", path).stdout


def test_apply_lines_from_stdin(junctor, node):
    lines = "".join(json.dumps(one) + "\n" for one in
                    (service("new", "127.96.0.70", 80, ["127.0.0.1:8081"]), web(weight=3)))
    said = junctor("apply", "-f", "-", input=lines).stdout
    assert "created" in said and "configured" in said and "new" in said
    assert names_at(node, "127.96.0.10", count=8) == {"a": 2, "b": 6}
    assert names_at(node, "127.96.0.70", count=2) == {"a": 2}
    assert "new" in junctor("delete", "service", "new").stdout
    assert connect_errno(node, "127.96.0.70") != 0


def test_apply_what_is_wrong(junctor, node):
    before = node.control.specs()
    wrong = web()
    wrong["spec"]["ports"][0]["port"] = 65536
    wrong["spec"]["backends"][0]["wieght"] = 1
    said = junctor("apply", "-f", "-", input=json.dumps(wrong), code=REJECTED).stderr
    assert "spec.ports[0].port" in said and "spec.backends[0].wieght" in said, "all at once"
    junctor("apply", "-f", "-", input="{", code=REJECTED)
    junctor("apply", "-f", "-", input="", code=REJECTED)
    assert "/nowhere.json" in junctor("apply", "-f", "/nowhere.json", code=FAILED).stderr
    assert node.control.specs() == before


def test_apply_takes_yaml(junctor, node, tmp_path):
    def declare(text, *words, name="x.yaml", **options):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return junctor("apply", "-f", path, *words, **options)

    two = text_of("x.yaml", service("y1", "127.96.7.1", 80, []), service("y2", "127.96.7.2", 80, []))
    assert declare("# two\n---\n" + two).stdout.split("\n")[:2] == [
        "localservice/y1 created", "localservice/y2 created"]
    assert "unchanged" in declare(two.split("---")[0], name="one").stdout
    assert junctor("apply", "-f", "-", input=two).stdout.count("unchanged") == 2
    said = declare("a: 1\nb: no\n", code=REJECTED).stderr
    assert "x.yaml: b: line 2: no is true or false to some" in said
    said = declare(two.replace("127.96.7.2", "127.96.7"), code=REJECTED).stderr
    first = two.splitlines().index("---") + 2
    assert f"lines[{first - 1}].spec.addresses[0]" in said and f"line {first}" in said, said
    junctor("delete", "service", "y1")
    junctor("delete", "service", "y2")


def test_delete(junctor, node):
    assert "web" in junctor("delete", "policy", "web").stdout
    junctor("delete", "policy", "web", code=NOT_FOUND)
    junctor("delete", "service", "web")
    assert connect_errno(node, "127.96.0.10") != 0
    assert "web" in junctor("delete", "service", "web", code=NOT_FOUND).stderr
    assert ("red", "web") in node.control.specs(), "the one of another namespace stays"


# --- status, wait ---------------------------------------------------------------------------------
def test_status(junctor, node):
    generation = node.control.status()["generation"]
    assert str(generation) in junctor("status").stdout
    assert json.loads(junctor("status", "-o", "json").stdout)["generation"] == generation


def test_status_of_a_degraded_junctord(bare_node):
    bare_node.junctord.start()
    bare_node.control.declare(web())
    bare_node.junctord.kill()
    shutil.rmtree(bare_node.state)
    bare_node.junctord.start()
    done = bare_node.run(built("junctor"), "--socket", bare_node.socket_path, "status",
                         check=False)
    assert done.returncode == DEGRADED
    assert "web" in done.stdout + done.stderr


def test_status_of_a_bad_file(bare_node):
    files = Files(bare_node).make()
    files.write("web.yaml", text="a: yes\n")
    bare_node.junctord.start()

    def status():
        return bare_node.run(built("junctor"), "--socket", bare_node.socket_path, "status",
                             check=False)
    done = status()
    assert done.returncode == DEGRADED
    assert "Sources:     api in sync, file NOT in sync for " in done.stdout
    assert "  - file: web.yaml: line 1: a: yes is true or false" in done.stdout
    files.remove("web.yaml")
    files.await_synced()
    done = status()
    assert done.returncode == OK
    assert "Sources:     api in sync, file in sync\n" in done.stdout


def test_wait(junctor, node):
    junctor("wait")
    generation = node.control.status()["generation"]
    junctor("wait", "--generation", generation)
    begin = time.monotonic()
    junctor("wait", "--generation", generation + 1, "--timeout", "1", code=TIMED_OUT)
    assert 0.9 <= time.monotonic() - begin <= 4
    process = node.start(built("junctor"), "--socket", node.socket_path, "wait", "--generation",
                         generation + 1, "--timeout", "20", stdout=subprocess.DEVNULL)
    node.control.declare(web(weight=7))
    assert process.wait(10) == OK


# --- options --------------------------------------------------------------------------------------
def test_socket_before_and_after_the_verb(node, declared):
    for words in (["--socket", node.socket_path, "get", "services"],
                  ["get", "--socket", node.socket_path, "services"],
                  ["get", "services", "--socket", node.socket_path],
                  ["get", "services", f"--socket={node.socket_path}"]):
        assert "127.96.0.10" in node.said(built("junctor"), *words)


@pytest.mark.parametrize("words", [
    [], ["gte"], ["get"], ["get", "servces"], ["get", "services", "a", "b"], ["apply"],
    ["apply", "-f"], ["get", "services", "-o", "yaml"], ["get", "services", "--nonsense"],
    ["delete", "service"], ["delete", "backends", "web"], ["describe", "service"],
    ["wait", "--generation", "soon"], ["wait", "--timeout", "-1"], ["status", "extra"],
    ["--socket"], ["cleanup", "extra"]], ids=" ".join)
def test_usage(node, declared, words):
    done = node.run(built("junctor"), *words, check=False)
    assert done.returncode == USAGE, done
    assert done.stderr and not done.stdout


def test_a_likely_word_is_offered(node):
    assert "get" in node.run(built("junctor"), "gte", "services", check=False).stderr
    assert "services" in node.run(built("junctor"), "get", "servics", check=False).stderr


def test_help_and_version(node):
    said = node.said(built("junctor"), "--help")
    for verb in ("get", "describe", "apply", "delete", "status", "wait", "cleanup"):
        assert verb in said
    assert node.said(built("junctor"), "--version").startswith("junctor")


@pytest.mark.parametrize("words", [["get", "services"], ["get", "backends"], ["get", "policies"],
                                   ["describe", "service", "web"], ["delete", "service", "web"],
                                   ["wait", "--timeout", "1"], ["apply", "-f", "-"]], ids=" ".join)
def test_nobody_answers(bare_node, words):
    done = bare_node.run(built("junctor"), "--socket", bare_node.socket_path, *words, check=False,
                         input=json.dumps(web()))
    assert done.returncode == UNREACHABLE, done
    assert bare_node.socket_path in done.stderr and not done.stdout


def test_cleanup_is_refused_while_a_daemon_holds_the_pins(junctor, node):
    done = junctor("cleanup", "--pin-dir", node.pins, "--cgroup", node.cgroup, code=FAILED)
    assert str(node.junctord.pid) in done.stderr
    assert len(kernel.attached(node.cgroup)) == 8


def test_output_to_a_closed_pipe(node, declared):
    """junctor get services | head -0: no crash, no talk."""
    done = node.run("bash", "-c", f"{built('junctor')} --socket {node.socket_path} get services "
                    "| true; echo ${PIPESTATUS[0]}")
    assert int(done.stdout) in (0, 1, 141)
    assert "Segmentation" not in done.stderr
