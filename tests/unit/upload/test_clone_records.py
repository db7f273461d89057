"""What started.json says of the checkout, from the records of prow's clonerefs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.censor import Censor
from upload.clone_records import Clones, parse_clones, read_clones
from upload.documents import parse_started
from upload.errors import ResultsError
from upload.layout import pull_prefix
from upload.model import BuildRef
from upload.publish_folder import FolderRequest, publish_folder
from upload.store import open_store
from upload.verify import verify

NOW_S = 1784700000
RECORDS = [
    {
        "refs": {
            "org": "kubernetes",
            "repo": "kubernetes",
            "base_ref": "master",
            "base_sha": "aaa",
            "pulls": [{"number": 7, "author": "me", "sha": "bbb"}, {"number": 8}],
        },
        "commands": [{"command": "git init", "output": "ok"}],
        "final_sha": "ccc",
    },
    {"refs": {"org": "kubernetes", "repo": "test-infra", "base_ref": "main"}},
]


def test_records_tell_refs_and_commit() -> None:
    assert parse_clones(json.dumps(RECORDS).encode()) == Clones(
        (("kubernetes/kubernetes", "master:aaa,7:bbb,8"), ("kubernetes/test-infra", "main")), "ccc"
    )


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"7"], ids=["empty", "object", "cut", "number"])
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(ResultsError):
        parse_clones(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["refs", "org", "repo", "pulls", "number", "sha", "base_ref"]), inner, max_size=5
        )
    ),
    max_leaves=15,
)


@given(st.lists(json_values, max_size=3))
def test_odd_records_tell_flat_texts_or_nothing(records: list[object]) -> None:
    clones = parse_clones(json.dumps(records).encode())

    assert all(isinstance(text, str) and text for pair in clones.repos for text in pair)


def test_records_that_cannot_be_read_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(json.dumps(RECORDS))
    for name, make in {
        "none": lambda path: None,
        "link": lambda path: path.symlink_to(tmp_path / "elsewhere"),
        "folder": lambda path: path.mkdir(),
        "no JSON": lambda path: path.write_text("<html>"),
    }.items():
        (tmp_path / name).mkdir()
        make(tmp_path / name / "clone-records.json")

        assert read_clones(tmp_path / name) == Clones()


def test_records_are_published_beside_started_and_told_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "junit_01.xml").write_text('<testsuite><testcase classname="c" name="t" time="1"/></testsuite>')
    (folder / "clone-records.json").write_text(json.dumps(RECORDS))
    store = open_store(str(tmp_path / "bucket"))
    job = "ci-kubernetes-e2e-mine"
    request = FolderRequest(folder, BuildRef(pull_prefix("kubernetes_kubernetes/7"), job, ""), "node", NOW_S, "v1")

    build = publish_folder(request, store, censor=Censor(["bbb-secret"]), state=tmp_path / "state").prepared.plan.build

    base = tmp_path / "bucket" / build.prefix / job / build.number
    started = parse_started((base / "started.json").read_bytes())
    assert (started.repos[0], started.repo_commit) == (("kubernetes/kubernetes", "master:aaa,7:bbb,8"), "ccc")
    assert json.loads((base / "clone-records.json").read_bytes()) == RECORDS
    assert not (base / "artifacts/clone-records.json").exists()
    assert verify(store, now_s=NOW_S).findings == ()
