# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The manual pages name every verb, flag, key and exit code that there is, and no other."""

import pathlib
import re
import subprocess

from lib.node import BUILD

FOLDER = pathlib.Path(__file__).parents[2] / "docs/man"
NO_KEYS = 9  # of junctord's flags, the last ones


def page(name):
    return (FOLDER / name).read_text(encoding="utf-8")


def items(text, macro):
    """What the tags of lists say behind this macro."""
    tags = re.findall(r"^\.It (.*)$", text, re.MULTILINE)
    return [word for tag in tags for word in re.findall(macro, tag)]


def documented_flags(text):
    return set(items(text, r"Fl Fl ([a-z-]+)")) | set(items(text, r"Fl ([a-z])\b"))


def help_of(program):
    return subprocess.run([BUILD / program, "--help"], check=True, text=True,
                          capture_output=True).stdout


def flags_of(text):
    """In the order of the lines that explain them."""
    lines = re.findall(r"^  (-.*?)(?: [A-Z]|  )", text, re.MULTILINE)
    return [flag for line in lines for flag in re.findall(r"-+([a-z][a-z-]*)", line)]


def test_every_verb_and_flag_of_junctor():
    told, text = help_of("junctor"), page("junctor.1")
    flags = flags_of(told)
    assert {"filename", "f", "socket", "version"} <= set(flags), told
    assert documented_flags(text) == set(flags)
    verbs = re.findall(r"^  ([a-z]+)\b.*\n      ", told, re.MULTILINE)
    assert {"get", "apply", "cleanup"} <= set(verbs), told
    assert re.findall(r"^\.It Cm ([a-z]+)$", text, re.MULTILINE) == verbs
    synopsis = text[text.index(".Sh SYNOPSIS"):text.index(".Sh DESCRIPTION")]
    assert re.findall(r"^\.Nm\n\.Cm ([a-z]+)$", synopsis, re.MULTILINE) == verbs


def test_every_exit_code_of_junctor():
    told = help_of("junctor")
    codes = re.findall(r"\b(\d) ", told[told.index("Exit codes:"):])
    assert len(codes) == 8
    assert re.findall(r"^\.It (\d)$", page("junctor.1"), re.MULTILINE) == codes


def test_every_flag_of_junctord():
    flags = flags_of(help_of("junctord"))
    assert {"socket", "check", "help"} <= set(flags)
    assert documented_flags(page("junctord.8")) == set(flags)


def test_every_task_that_needs_no_daemon():
    refused = subprocess.run([BUILD / "junctord", "--offline", "x"], check=False, text=True,
                             capture_output=True).stderr
    verbs = set(re.findall(r"[a-z]+", re.search(r"takes (.*)\n", refused).group(1))) - {"or"}
    synopsis = re.search(r"^\.Fl Fl offline Cm (.*)$", page("junctord.8"), re.M).group(1)
    assert set(synopsis.split(" | ")) == verbs
    told = help_of("junctord")
    assert all(f"{verb}:" in told or f"{verb}," in told for verb in verbs), told


def test_every_key_of_the_configuration(tmp_path):
    keys = items(page("junctord.yaml.5"), r"Cm ([a-zA-Z-]+)$")
    assert set(flags_of(help_of("junctord"))[:-NO_KEYS]) <= set(keys)
    assert {"guardRoutes", "accessRules"} <= set(keys)
    for key in set(keys) - {"uid", "gid", "role", "namespaces"}:
        path = tmp_path / "junctord.yaml"
        path.write_text(f"{key}: {{}}\n", encoding="ascii")
        said = subprocess.run([BUILD / "junctord", "--check", "--config", path], check=False,
                              text=True, capture_output=True).stderr
        assert f":1: {key} " in said, said  # known, and of another type


def test_what_the_example_configures_is_valid(tmp_path):
    text = page("junctord.yaml.5")
    path = tmp_path / "junctord.yaml"
    path.write_text(text[text.index(".Bd"):text.index(".Ed")].split("\n", 1)[1], encoding="ascii")
    subprocess.run([BUILD / "junctord", "--check", "--config", path], check=True)
