# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Which texts are taken as JSON: the files of test/corpus/json, by the first letter of their names.

  y_   an object that is accepted
  s_   JSON, but no object of ours: 422
  n_   no JSON, or JSON that is refused as such (duplicate keys, too deep): 400

  one node (lib/node.py); every file is one body for /v1/apply?dryRun=All
"""

from pathlib import Path

import pytest

CORPUS = sorted((Path(__file__).resolve().parents[1] / "corpus" / "json").glob("*.json"))
STATUS = {"y": 200, "s": 422, "n": 400}


@pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])
def test_corpus(node, path):
    answer = node.control.request("POST", "/v1/apply?dryRun=All", path.read_bytes())
    assert answer.status == STATUS[path.name[0]], answer
    if answer.status != 200:
        assert answer.json["kind"] == "Status" and answer.json["message"], answer
    assert node.control.status()["generation"] == 0


def test_corpus_has_all_three_kinds():
    assert {path.name[0] for path in CORPUS} == set("yns")
    assert len(CORPUS) >= 100
