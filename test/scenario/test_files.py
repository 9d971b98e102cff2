# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Services declared in files: what is written there is served, and a bad file changes nothing.

  one node (lib/node.py) for each test, its services folder at <node>/services.d
  VIPs 127.96.0.1n  ->  nginx a 127.0.0.1:8081, b 127.0.0.2:8081
"""

import itertools
import os
import subprocess
import shutil
import time

import pytest

from lib.clients import connect_errno, names_at
from lib.crash import CrashAt
from lib.files import Files, text_of
from lib.junctord import wait_for
from lib.objects import SERVICES, policy, service

SERVERS = {"a": "127.0.0.1:8081", "b": "127.0.0.2:8081"}
VIP, OTHER = "127.96.0.10", "127.96.0.11"
MOST_FILES = 4096
CRASH_SECONDS = 0.3


KUBERNETES = f"""
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  clusterIP: {VIP}
  ports: [{{port: 80, targetPort: 8081}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: shop-1, labels: {{kubernetes.io/service-name: shop}}}}
addressType: IPv4
endpoints:
  - addresses: [127.0.0.1]
ports: [{{name: "", port: 8081, protocol: TCP}}]
"""


@pytest.fixture
def files(bare_node):
    """A folder, servers, and a junctord that reads it."""
    bare_node.servers.http(**SERVERS)
    made = Files(bare_node).make()
    bare_node.junctord.start()
    return made


def web(server="a", name="web", address=VIP):
    return service(name, address, 80, [SERVERS[server]])


def await_answer(files, name, address=VIP):
    """Until a new connection is answered by this server; before, there may be no service at all."""
    def answers():
        return (connect_errno(files.node, address) == 0 and
                set(names_at(files.node, address, count=2)) == {name})
    wait_for(answers, f"{address} leads to {name}")


def test_added_changed_and_removed(files):
    files.write("web.yaml", web("a"), policy("web", "web", algorithm="RoundRobin"))
    files.await_owners(web="web.yaml")
    await_answer(files, "a")
    files.replace("web.yaml", web("b"))
    await_answer(files, "b")
    wait_for(lambda: not files.node.control.get("/apis/junctor.dev/v1alpha1/trafficpolicies")
             .json["items"], "the policy that disappeared from its file is deleted")
    files.write("more.json", web("a", "more", OTHER))
    files.await_owners(web="web.yaml", more="more.json")
    await_answer(files, "a", OTHER)
    files.remove("web.yaml")
    files.await_owners(more="more.json")
    assert connect_errno(files.node, VIP) != 0
    files.await_synced()
    status = files.status()
    assert status == {"name": "file", "synced": True, "stalenessSeconds": 0}


def test_objects_of_kubernetes(files):
    """The owner of any kind outlives junctord."""
    files.write("shop.yaml", text=KUBERNETES)
    await_answer(files, "a")
    files.node.junctord.restart()
    files.await_synced()
    for path in ("/api/v1/namespaces/default/services/shop",
                 "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/shop-1"):
        one = files.node.control.get(path).json
        assert one["status"]["file"] == "shop.yaml", one
        assert files.node.control.delete(path).status == 409
    files.remove("shop.yaml")
    wait_for(lambda: connect_errno(files.node, VIP) != 0, "gone with its file")


# --- what is wrong ----------------------------------------------------------------------------

BAD_PORT = web("b")
BAD_PORT["spec"]["ports"][0]["port"] = "80"


@pytest.mark.parametrize("name, text, parts", [
    ("web.yaml", "apiVersion: junctor.dev/v1alpha1\nkind: LocalService\nmetadata:\n  name: web\n"
     "spec:\n  addresses: [127.96.0.10]\n  ports:\n    - port: \"80\"\n",
     ("web.yaml: line 8: spec.ports[0].port: is a text; give an integer",)),
    ("web.yaml", "kind: LocalService\nkind: LocalService\n",
     ("web.yaml: line 2: kind: this key stands twice", "remove one of the two")),
    ("web.yaml", "a: &x [1]\nb: *x\n", ("web.yaml: line 1: a: ", "write the value out")),
    ("web.yaml", "a: yes\n", ("line 1: a: yes is true or false to some readers", "in quotes")),
    ("web.yaml", "", ("web.yaml: the file is empty", "remove the file")),
    ("web.yaml", "# nothing\n", ("web.yaml: there is no object", "remove the file")),
    ("web.yaml", "a: [1\n", ("web.yaml: line 2: ", "this is not YAML")),
    ("web.json", '{"kind": "LocalService",\n "kind": 1}', ("web.json: line 2, column", "twice")),
    ("web.json", "{}", ("web.json: 2 faults, the first: line 1: apiVersion: is missing",)),
])
def test_a_bad_file_keeps_its_last_good_content(files, name, text, parts):
    files.replace(name, web("a"))
    files.await_owners(web=name)
    generation = files.node.control.status()["generation"]
    files.write(name, text=text)
    files.await_error(*parts)
    assert f"{name} is refused, what it declared before stays" in files.node.junctord.log()
    assert set(names_at(files.node, VIP, count=3)) == {"a"}
    assert files.status()["synced"] is False
    assert files.node.control.get("/readyz").status == 200, "a bad file is no reason to restart"

    files.node.junctord.restart()
    files.await_error(*parts)
    assert files.owners() == {"web": name}, "the last good content outlives junctord"
    assert set(names_at(files.node, VIP, count=3)) == {"a"}
    assert files.node.control.status()["generation"] == generation

    files.replace(name, web("b"))
    await_answer(files, "b")
    files.await_synced()


def test_a_file_that_is_bad_from_the_start_hinders_no_other(files):
    files.write("bad.yaml", text="kind: [\n")
    files.write("web.yaml", web("a"))
    await_answer(files, "a")
    assert "bad.yaml: line 2" in files.await_error("bad.yaml")
    files.remove("bad.yaml")
    files.await_synced()


def test_every_fault_of_several_documents_is_placed(files):
    files.write("web.yaml", text="---\n" + text_of("x.yaml", web("a"), BAD_PORT))
    line = 1 + text_of("x.yaml", web("a"), BAD_PORT).splitlines().index('      port: "80"') + 1
    files.await_error(f"web.yaml: line {line}: documents[1].spec.ports[0].port: is a text")
    files.write("web.yaml", text="kind: LocalServiceList\napiVersion: junctor.dev/v1alpha1\n"
                "items:\n- metadata: {name: web}\n- metadata: {name: UPPER}\n")
    files.await_error("3 faults, the first: line 4: items[0].spec: is missing")


# --- who owns what ----------------------------------------------------------------------------

def test_the_control_socket_does_not_write_what_a_file_declares(files):
    files.write("web.yaml", web("a"))
    files.await_owners(web="web.yaml")
    control = files.node.control
    for answer in (control.put(web("b")), control.put(web("a")), control.apply(web("b")),
                   control.apply(web("b"), dry_run=True), control.delete(f"{SERVICES}/web")):
        assert answer.status == 409, answer
        message = answer.json["message"]
        assert "LocalService default/web belongs to the file source" in message
        assert "change or delete it in web.yaml" in message
    assert set(names_at(files.node, VIP, count=3)) == {"a"}
    status = control.get(f"{SERVICES}/web").json["status"]
    assert (status["source"], status["file"]) == ("file", "web.yaml")
    control.declare(web("b", "api", OTHER))
    status = control.get(f"{SERVICES}/api").json["status"]
    assert status["source"] == "api" and "file" not in status


def test_a_file_does_not_write_what_the_control_socket_declared(files):
    files.node.control.declare(web("a"))
    files.write("web.yaml", web("b"))
    error = files.await_error("web.yaml: line 1: metadata.name: LocalService default/web belongs "
                              "to the api source", "junctor delete")
    assert set(names_at(files.node, VIP, count=3)) == {"a"}
    files.write("other.yaml", web("b", "other", OTHER))
    await_answer(files, "b", OTHER)  # one that is refused hinders no other
    assert files.status()["error"] == error
    files.node.control.remove("web")
    files.write("other.yaml", web("a", "other", OTHER))  # whoever is refused is tried again
    files.await_owners(web="web.yaml", other="other.yaml")
    await_answer(files, "b")
    files.await_synced()


def test_between_two_files_the_first_keeps_it(files):
    files.write("b.yaml", web("a"))
    files.await_owners(web="b.yaml")
    files.write("a.yaml", web("b"))
    files.await_error("a.yaml: line 1: metadata.name: LocalService default/web is declared by "
                      "b.yaml already")
    files.node.junctord.restart()
    files.await_error("a.yaml")
    assert files.owners() == {"web": "b.yaml"}, "also over a restart"
    assert set(names_at(files.node, VIP, count=3)) == {"a"}
    generation = files.node.control.status()["generation"]
    files.remove("b.yaml")
    files.await_owners(web="a.yaml")
    await_answer(files, "b")
    files.await_synced()
    assert files.node.control.status()["generation"] == generation + 1, "never without an owner"


def test_an_address_that_is_taken_is_a_fault_of_the_file(files):
    files.node.control.declare(web("a", "api"))
    files.write("web.yaml", text="---\n---\n" + text_of("x.yaml", web("b", "other", OTHER),
                                                        web("b")))
    files.await_error("web.yaml: line ", "documents[1].spec.addresses[0]: 127.96.0.10:80/TCP "
                      "belongs to LocalService default/api")
    assert files.owners() == {"api": None}, "a file is written whole or not at all"


def test_an_object_may_move_to_another_file(files):
    files.write("a.yaml", web("a"), web("a", "two", OTHER))
    files.await_owners(web="a.yaml", two="a.yaml")
    generation = files.node.control.status()["generation"]
    os.rename(files.path("a.yaml"), files.path("z.yaml"))
    files.await_owners(web="z.yaml", two="z.yaml")
    assert files.node.control.status()["generation"] == generation + 1
    assert set(names_at(files.node, VIP, count=3)) == {"a"}


# --- how files change ---------------------------------------------------------------------------

def test_a_mounted_config_map_is_swapped_at_once(bare_node):
    """..data is a link to a folder, and the files are links through it; it is swapped by rename."""
    bare_node.servers.http(**SERVERS)
    files = Files(bare_node).make()

    def publish(version, *services):
        folder = files.path(f"..{version}")
        folder.mkdir()
        for one in services:
            (folder / f"{one['metadata']['name']}.yaml").write_text(text_of("x.yaml", one))
        os.symlink(folder.name, files.path("..data_tmp"))
        os.rename(files.path("..data_tmp"), files.path("..data"))

    publish(1, web("a"), web("a", "two", OTHER))
    for name in ("web", "two"):
        os.symlink(f"..data/{name}.yaml", files.path(f"{name}.yaml"))
    bare_node.junctord.start()
    files.await_owners(web="web.yaml", two="two.yaml")
    generation = bare_node.control.status()["generation"]
    publish(2, web("b"), web("b", "two", OTHER))
    await_answer(files, "b")
    await_answer(files, "b", OTHER)
    assert bare_node.control.status()["generation"] == generation + 1, "one swap is one write"


def test_an_editor_that_takes_the_file_away_first(files):
    files.write("web.yaml", web("a"))
    files.await_owners(web="web.yaml")
    generation = files.node.control.status()["generation"]
    for server in "ba" * 5:
        os.rename(files.path("web.yaml"), files.path("web.yaml~"))
        files.write("web.yaml", web(server))
        files.remove("web.yaml~")
        await_answer(files, server)
    items = files.node.control.get(SERVICES).json["items"]
    assert len(items) == 1
    log = files.node.junctord.log()
    assert "1 objects created" in log.split(f"generation {generation}\n")[0]
    assert "created" not in log.split(f"generation {generation}\n")[1].replace("0 objects created", "")


def test_what_is_being_written_is_not_read(files):
    files.replace("web.yaml", web("a"))
    files.await_owners(web="web.yaml")
    with open(files.path("web.yaml"), "w", encoding="utf-8") as slow:
        text = text_of("web.yaml", web("b"), web("b", "two", OTHER))
        slow.write(text_of("web.yaml", web("b")))
        slow.flush()
        files.await_error("web.yaml: somebody has it open for writing; close it")
        assert set(names_at(files.node, VIP, count=3)) == {"a"}
        slow.write(text[len(text_of("web.yaml", web("b"))):])
    files.await_owners(web="web.yaml", two="web.yaml")
    await_answer(files, "b")
    files.await_synced()


def test_a_folder_whose_file_system_is_unmounted_deletes_nothing(bare_node):
    """The mount point under it is an empty folder, which would delete all."""
    bare_node.servers.http(**SERVERS)
    files = Files(bare_node)
    files.folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "files", str(files.folder)]
    subprocess.run(mount, check=True)
    bare_node.machine.callback(subprocess.run, ["umount", "-lq", str(files.folder)], check=False)
    files.write("web.yaml", web("a"))
    bare_node.junctord.start(services_dir=files.folder)
    await_answer(files, "a")
    subprocess.run(["umount", "-l", str(files.folder)], check=True)
    files.await_error("on another file system than its files were")
    assert set(names_at(bare_node, VIP, count=3)) == {"a"}
    files.write("web.yaml", web("b"))
    await_answer(files, "b")


def test_the_folder_comes_later_goes_and_comes_again(bare_node):
    bare_node.servers.http(**SERVERS)
    files = Files(bare_node)
    files.folder = files.folder / "deep" / "er"
    bare_node.junctord.start(services_dir=files.folder)
    assert files.status() == {"name": "file", "synced": True, "stalenessSeconds": 0}
    files.folder.mkdir(parents=True)
    files.write("web.yaml", web("a"))
    await_answer(files, "a")
    away = files.folder.with_name("away")
    os.rename(files.folder, away)
    files.await_error(f"{files.folder} cannot be read (No such file or directory); what was read")
    assert set(names_at(bare_node, VIP, count=3)) == {"a"}, "a folder that is gone deletes nothing"
    bare_node.junctord.terminate()  # what was read is stored before it ends
    bare_node.junctord.start(services_dir=files.folder)
    files.await_error("cannot be read")
    assert set(names_at(bare_node, VIP, count=3)) == {"a"}
    files.folder.mkdir()
    files.write("web.yaml", web("b"))
    await_answer(files, "b")
    files.remove("web.yaml")
    files.folder.rmdir()
    files.folder.mkdir()
    files.write("two.yaml", web("a", "two", OTHER))
    await_answer(files, "a", OTHER)
    files.await_owners(two="two.yaml")


def test_a_thousand_files(files):
    def many(server):
        for number in range(1000):
            one = service(f"s{number}", f"127.96.{1 + number // 250}.{number % 250}", 80,
                          [SERVERS[server]])
            files.replace(f"s{number:04}.yaml", one)

    many("a")
    wait_for(lambda: len(files.owners()) == 1000, "all of them")
    files.await_synced()
    await_answer(files, "a", "127.96.4.249")
    generation = files.node.control.status()["generation"]
    many("b")
    files.await_synced()
    await_answer(files, "b", "127.96.4.249")
    await_answer(files, "b", "127.96.1.0")
    assert files.node.control.status()["generation"] <= generation + 20, "bursts are few writes"
    files.node.junctord.restart()
    files.await_synced()
    assert len(files.owners()) == 1000
    for path in files.folder.iterdir():
        path.unlink()
    files.await_owners()


def test_killed_between_a_change_and_its_write(files):
    """Whenever junctord dies, what the files say is served in the end, and nothing else."""
    for server in "abab":
        files.replace("web.yaml", web(server))
        files.write("two.yaml", web(server, "two", OTHER))
        files.node.junctord.restart()
        await_answer(files, server)
        await_answer(files, server, OTHER)
        files.await_synced()
    files.node.junctord.kill()
    files.remove("two.yaml")
    files.node.junctord.start()
    files.await_owners(web="web.yaml")


def test_a_store_that_is_lost_is_made_good_by_the_files(files):
    """What was rebuilt from the kernel tables has no owner: its file takes it over."""
    files.write("web.yaml", web("a"))
    files.await_owners(web="web.yaml")
    files.node.junctord.kill()
    shutil.rmtree(files.node.state)
    files.node.junctord.start()
    files.await_owners(web="web.yaml")
    files.await_synced()
    assert set(names_at(files.node, VIP, count=3)) == {"a"}
    assert "default/web" not in " ".join(files.node.control.status()["degraded"])


@pytest.mark.parametrize("what", ["syscalls", "stores"])
def test_killed_at_any_step_of_a_write(files, what):
    """Old or new is served, and after the next start what the file says."""
    files.replace("web.yaml", web("a"))
    await_answer(files, "a")
    for step in range(1, 26, 3):
        server = "ab"[step % 2]
        more = [web(server, "two", OTHER)] if step % 4 < 2 else []
        with CrashAt(files.node.junctord, what, step) as crash:
            files.replace("web.yaml", web(server), *more)
            end = time.monotonic() + CRASH_SECONDS
            while crash.process.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
        if not crash.is_dead:
            files.node.junctord.kill()
        assert set(names_at(files.node, VIP, count=2)) <= {"a", "b"}, (step, crash.where)
        files.node.junctord.start()
        await_answer(files, server)
        files.await_owners(**{one["metadata"]["name"]: "web.yaml" for one in [web(), *more]})
        files.await_synced()
        assert files.node.control.status()["degraded"] == [], (step, crash.where)


def test_too_many_files_change_nothing(files):
    files.write("web.yaml", web("a"))
    await_answer(files, "a")
    for number in range(MOST_FILES):
        files.path(f"n{number}.json").touch()
    files.await_error(f"{files.folder} holds more than the limit of {MOST_FILES} files; what was "
                      "read before stays")
    assert set(names_at(files.node, VIP, count=3)) == {"a"}
    for number in range(MOST_FILES):
        files.remove(f"n{number}.json")
    files.await_synced()
    assert files.owners() == {"web": "web.yaml"}


def test_what_is_no_file_is_named(files):
    files.path("web.yaml").mkdir()
    files.await_error("web.yaml: is not a file")
    files.path("web.yaml").rmdir()
    os.symlink("nowhere", files.path("web.yaml"))
    files.await_error("web.yaml: is a link that leads nowhere")
    files.remove("web.yaml")
    os.mkfifo(files.path("web.yaml"))
    files.await_error("web.yaml: is not a file")
    files.remove("web.yaml")
    with open(files.path("web.yaml"), "wb") as big:
        big.truncate(16 * 1024 * 1024 + 1)
    files.await_error("web.yaml: is larger than the limit of 16 MiB")
    files.remove("web.yaml")
    files.write("w b.yaml", web("a"))
    files.await_error("w b.yaml: has a name of other characters than printable ASCII; rename it")
    os.rename(files.path("w b.yaml"), files.path("web.yaml"))
    await_answer(files, "a")
    files.await_synced()


def test_a_link_to_a_file_elsewhere(files):
    """No event tells that it has changed; a look at the folder does."""
    target = files.node.folder / "elsewhere.yaml"
    target.write_text(text_of("x.yaml", web("a")))
    os.symlink(target, files.path("web.yaml"))
    await_answer(files, "a")
    target.write_text(text_of("x.yaml", web("b")))
    wait_for(lambda: set(names_at(files.node, VIP, count=2)) == {"b"}, "a slow look finds it", 15)


def test_a_link_is_read_while_another_file_is_replaced_again_and_again(files):
    """Looks at the one that events tell of put off the look at the folder, for ever."""
    target = files.node.folder / "elsewhere.yaml"
    target.write_text(text_of("x.yaml", web("a")))
    os.symlink(target, files.path("web.yaml"))
    files.write("busy.yaml", web("a", "busy", OTHER))
    await_answer(files, "a")
    await_answer(files, "a", OTHER)
    target.write_text(text_of("x.yaml", web("b")))
    servers = itertools.cycle("ba")

    def is_found():
        files.replace("busy.yaml", web(next(servers), "busy", OTHER))
        time.sleep(0.3)
        return set(names_at(files.node, VIP, count=2)) == {"b"}
    wait_for(is_found, "a look at the whole folder", 15)
