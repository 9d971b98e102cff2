# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What files declare is served before it is stored; a start in between takes nothing away.

  one node (lib/node.py), its state folder a tmpfs of 512 KiB, which is full
  VIP 127.96.0.10, 80/TCP   ->  nginx a 127.0.0.1:8081, b 127.0.0.2:8081
  VIP 127.96.0.11, 53/UDP   ->  dnsmasq b 127.0.0.2:53
"""

import errno
import subprocess
import time

import pytest

from lib.clients import connect_errno, names_at, udp_name
from lib.files import Files
from lib.junctord import wait_for
from lib.ledger import Load
from lib.objects import service, udp

SERVERS = {"a": "127.0.0.1:8081", "b": "127.0.0.2:8081"}
VIP, OTHER = "127.96.0.10", "127.96.0.11"


def web(server):
    return service("web", VIP, 80, [SERVERS[server]])


def test_a_start_before_files_are_stored_takes_nothing_away(bare_node):
    """The disk is full, so the store does not know what is served; the files are read a bit later."""
    bare_node.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", bare_node.state], check=True)
    bare_node.machine.callback(subprocess.run, ["umount", "-lq", bare_node.state], check=False)
    bare_node.servers.http(**SERVERS)
    bare_node.servers.dns("b", "127.0.0.2")
    files = Files(bare_node).make()
    bare_node.junctord.start()
    files.write("web.yaml", web("a"))
    files.await_owners(web="web.yaml")
    wait_for(lambda: set(names_at(bare_node, VIP, count=2)) == {"a"}, "it is served")
    with open(bare_node.state / "filler", "wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(4096))
    large = service("web", VIP, 80, [SERVERS["b"]], annotations={"text": "x" * 60000})
    files.replace("web.yaml", large, service("dns", OTHER, udp(53), ["127.0.0.2"]))
    files.await_error("cannot be stored (No space left on device)")
    with bare_node.udp() as asked, Load(bare_node, VIP, fresh=100) as load:
        asked.connect((OTHER, 53))
        assert udp_name(asked) == ("b", (OTHER, 53))
        for _ in range(3):
            bare_node.junctord.restart()
            files.await_owners(web="web.yaml", dns="web.yaml")
            time.sleep(0.5)  # sockets of gone backends are looked for
        assert udp_name(asked) == ("b", (OTHER, 53))
    load.ledger.assert_nothing_lost()
    assert set(load.ledger.servers()) == {"b"}
    (bare_node.state / "filler").unlink()
    files.replace("web.yaml", web("b"))  # the rest goes only now
    files.await_owners(web="web.yaml")
    bare_node.junctord.restart()
    files.await_owners(web="web.yaml")
    assert connect_errno(bare_node, OTHER, 53) == errno.EINVAL
