from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard_feed.records import Record, read_record


def record(started: object = None, finished: object = None) -> Record:
    texts = [json.dumps(document).encode() if document is not None else None for document in (started, finished)]
    return read_record(texts[0], texts[1], where="job/1")


def rules(found: Record) -> list[str]:
    return [finding.rule for finding in found.findings]


def test_sound_documents_are_read_whole() -> None:
    started = {"timestamp": 100, "node": "h", "version": "v1.36.3+0123456789abcdef", "repo-commit": "0123"}
    finished = {
        "timestamp": 200,
        "passed": True,
        "result": "SUCCESS",
        "version": "v1.36.3+0123456789abcdef",
        "job-version": "v1.36.3+0123456789abcdef",
        "metadata": {"provider": "local", "a": "b"},
    }

    assert record(started, finished) == Record(
        started_s=100,
        finished_s=200,
        is_finished=True,
        passed=True,
        result="SUCCESS",
        version="v1.36.3+0123456789abcdef",
        finished_version="v1.36.3+0123456789abcdef",
        repo_commit="0123",
        commit="012345678",
        node="h",
        metadata=(("a", "b"), ("provider", "local")),
        findings=(),
    )


def test_a_build_that_goes_on_has_no_finding() -> None:
    assert record({"timestamp": 100}) == Record(started_s=100)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        pytest.param("200", (200, ["finished.timestamp"]), id="text"),
        pytest.param(200.75, (200, ["finished.timestamp"]), id="fraction"),
        pytest.param("soon", (None, ["finished.timestamp"]), id="words"),
        pytest.param(True, (None, ["finished.timestamp"]), id="true"),
        pytest.param(-4, (None, ["finished.timestamp"]), id="negative"),
        pytest.param(10**15, (None, ["finished.timestamp"]), id="after the year 9999"),
        pytest.param(float("nan"), (None, ["finished.timestamp"]), id="NaN"),
        pytest.param([1], (None, ["finished.timestamp"]), id="a list"),
        pytest.param(None, (None, ["finished.timestamp"]), id="missing"),
    ],
)
def test_timestamps_are_read_as_far_as_they_can_be(timestamp: object, expected: tuple[int | None, list[str]]) -> None:
    found = record({"timestamp": 1}, {"timestamp": timestamp, "passed": True})

    assert (found.finished_s, rules(found)) == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"passed": "yes"}, ["finished.passed"], id="passed is text"),
        pytest.param({"result": 7}, ["finished.result"], id="result is a number"),
        pytest.param({"metadata": [1]}, ["finished.metadata"], id="metadata is a list"),
        pytest.param({"metadata": {"a": [1], "b": None}}, ["finished.metadata"], id="metadata holds no text"),
        pytest.param({"version": {}}, ["finished.version"], id="version is an object"),
    ],
)
def test_wrong_types_are_findings(document: dict[str, object], expected: list[str]) -> None:
    assert rules(record({"timestamp": 1}, {"timestamp": 2, **document})) == expected


@pytest.mark.parametrize(
    "content",
    [b"", b"[1]", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"timestamp": ' + b"9" * 9000 + b"}", b"\x00"],
    ids=["empty", "list", "text", "cut", "no UTF-8", "deep", "huge number", "zero byte"],
)
def test_a_document_that_is_none_leaves_the_build_unfinished(content: bytes) -> None:
    found = read_record(b'{"timestamp": 1}', content, where="job/1")

    assert (found.is_finished, rules(found)) == (False, ["finished.json"])


@pytest.mark.parametrize(
    ("started", "finished", "expected"),
    [
        pytest.param({"repo-commit": "0123456789ab"}, {}, "012345678", id="repo-commit is the last resort"),
        pytest.param({"repo-commit": "aaa"}, {"metadata": {"revision": "v1+bbbbbbbbbbbb"}}, "bbbbbbbbb", id="metadata"),
        pytest.param({"job-version": "v1+ccc"}, {"job-version": "v1+ddd"}, "ddd", id="finished before started"),
        pytest.param({"version": "v1+eee"}, {"version": "v1+fff"}, "", id="version says nothing of the commit"),
    ],
)
def test_the_commit_is_the_one_that_testgrid_shows(started: object, finished: object, expected: str) -> None:
    assert record(started, finished).commit == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("timestamp", "passed", "result", "version", "metadata", "node", "job-version", "revision", "repos")
documents = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, json_values))


@settings(max_examples=40)
@given(documents | json_values, documents | json_values)
def test_any_json_is_read_without_a_crash(started: object, finished: object) -> None:
    found = record(started, finished)

    assert all(isinstance(value, str) for pair in found.metadata for value in pair)
    assert found.passed in (None, True, False)


@pytest.mark.parametrize(
    ("started", "finished", "expected"),
    [
        pytest.param({"repos": {"k": "m"}}, {"metadata": {"repos": {"k": "x"}}}, '{"k": "m"}', id="started wins"),
        pytest.param({}, {"metadata": {"repos": {"k": "x"}}}, '{"k": "x"}', id="metadata of finished.json"),
        pytest.param({"metadata": {"repos": [1]}}, {}, "[1]", id="metadata of started.json"),
        pytest.param({"metadata": {"repos": [1]}}, {"metadata": {}}, "", id="finished.json has some"),
        pytest.param({}, {"metadata": {"repos": "text"}}, "", id="a text is none"),
        pytest.param({"repos": {"k": "m" * 3000}}, {"metadata": []}, "", id="too long"),
    ],
)
def test_repos_are_what_kettle_takes(started: object, finished: object, expected: str) -> None:
    assert record(started, finished).repos == expected
