# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The services folder of a node: files written as people, editors and mounts write them."""

import json
import os

from lib.junctord import wait_for
from lib.objects import SERVICES


def yaml_of(one, indent=0):
    """YAML of what JSON can say, without a YAML library: block style, texts in quotes."""
    pad = "  " * indent
    if isinstance(one, dict) and one:
        return "".join(f"{pad}{key}:" + nested(value, indent) for key, value in one.items())
    if isinstance(one, list) and one:
        return "".join(f"{pad}-" + nested(value, indent) for value in one)
    return f"{pad}{json.dumps(one)}\n"


def nested(value, indent):
    if isinstance(value, (dict, list)) and value:
        return "\n" + yaml_of(value, indent + 1)
    return f" {json.dumps(value)}\n"


def text_of(name, *objects):
    if name.endswith(".json"):
        return "".join(json.dumps(one) + "\n" for one in objects)
    return "---\n".join(yaml_of(one) for one in objects)


class Files:
    def __init__(self, node):
        self.node = node
        self.folder = node.folder / "services.d"

    def make(self):
        self.folder.mkdir()
        return self

    def path(self, name):
        return self.folder / name

    def write(self, name, *objects, text=None):
        """In place: opened, emptied, written."""
        self.path(name).write_text(text_of(name, *objects) if text is None else text,
                                   encoding="utf-8")

    def replace(self, name, *objects, text=None):
        """Written beside it and renamed to its name."""
        fresh = self.path(f".{name}.new")
        fresh.write_text(text_of(name, *objects) if text is None else text, encoding="utf-8")
        os.rename(fresh, self.path(name))

    def remove(self, name):
        self.path(name).unlink()

    # --- what junctord makes of it ----------------------------------------------------------------
    def status(self):
        """The file source in /v1/status."""
        return {one["name"]: one for one in self.node.control.status()["sources"]}["file"]

    def owners(self):
        """{name of a service: its file, or None for the control socket's}."""
        items = self.node.control.get(f"{SERVICES}").json["items"]
        return {one["metadata"]["name"]: one["status"].get("file") for one in items}

    def await_owners(self, **expected):
        wait_for(lambda: self.owners() == expected, f"services {expected}, not {self.owners()}")

    def await_error(self, *parts):
        """Waits until the source tells of a fault that has all of these; returns it."""
        def error():
            found = self.status().get("error", "")
            return found if all(part in found for part in parts) else None
        return wait_for(error, f"an error with {parts}, not {self.status()}")

    def await_synced(self):
        wait_for(lambda: self.status()["synced"], f"in sync, not {self.status()}")
