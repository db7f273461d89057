from __future__ import annotations

import json

import pytest

from dashboard_feed.kettle import CaseRun, KettleBuild, kettle_row, render_schema

PATH = "gs://abc/logs/j/7"
WHOLE = KettleBuild(
    PATH,
    "p:j",
    "7",
    started_s=100,
    finished_s=160,
    passed=True,
    result="SUCCESS",
    version="v1",
    node="h",
    repo_commit="abc",
    repos='{"k": "master"}',
    metadata={"b": "2", "a": "1", "repo": "", "job-version": "v1", "version": "v1"},
    tests=(CaseRun("t", 1.5), CaseRun("u", 2.0, "why")),
)


def test_a_whole_build_becomes_a_whole_row() -> None:
    assert kettle_row(WHOLE) == {
        "path": PATH,
        "job": "p:j",
        "number": 7,
        "started": 100,
        "finished": 160,
        "elapsed": 60,
        "passed": True,
        "result": "SUCCESS",
        "version": "v1",
        "executor": "h",
        "repo_commit": "abc",
        "repos": '{"k": "master"}',
        "metadata": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
        "test": [{"name": "t", "time": 1.5}, {"name": "u", "time": 2.0, "failed": True, "failure_text": "why"}],
        "tests_run": 2,
        "tests_failed": 1,
    }


def test_what_is_not_told_is_left_out() -> None:
    assert kettle_row(KettleBuild(PATH, "p:j", "7")) == {
        "path": PATH,
        "job": "p:j",
        "number": 7,
        "test": [],
        "tests_run": 0,
        "tests_failed": 0,
    }


@pytest.mark.parametrize(
    ("result", "passed", "expected"),
    [
        pytest.param("UNSTABLE", True, ("UNSTABLE", False), id="the result wins"),
        pytest.param("", True, ("SUCCESS", True), id="passed alone"),
        pytest.param("", False, ("FAILURE", False), id="not passed alone"),
        pytest.param("", None, (None, None), id="neither"),
    ],
)
def test_verdicts(result: str, passed: bool | None, expected: tuple[str | None, bool | None]) -> None:
    row = kettle_row(KettleBuild(PATH, "p:j", "7", result=result, passed=passed))

    assert (row.get("result"), row.get("passed")) == expected


@pytest.mark.parametrize(
    ("run", "names"),
    [
        pytest.param(CaseRun("t", 0, suite="s"), ["t"], id="one suite"),
        pytest.param(CaseRun("t", 0, suite="all / s", is_nested=True), ["s t"], id="a suite of several"),
        pytest.param(CaseRun("t", 0, is_nested=True), ["unknown t"], id="one without a name"),
        pytest.param(CaseRun("t #01", 0), [], id="a repetition that passed"),
        pytest.param(CaseRun("t #01", 0, "why"), ["t #01"], id="a repetition that failed"),
    ],
)
def test_names(run: CaseRun, names: list[str]) -> None:
    row = kettle_row(KettleBuild(PATH, "p:j", "7", tests=(run,)))

    assert [test["name"] for test in row["test"]] == names


def test_metadata_that_says_the_version_again_is_dropped_only_then() -> None:
    build = KettleBuild(PATH, "p:j", "7", version="v2", metadata={"job-version": "v1", "version": "v2", "repo": "r"})

    assert kettle_row(build)["metadata"] == [{"key": "job-version", "value": "v1"}, {"key": "repo", "value": "r"}]


def test_a_number_that_bigquery_cannot_hold_is_left_out() -> None:
    assert "number" not in kettle_row(KettleBuild(PATH, "p:j", str(2**63)))


def test_the_schema_has_every_key_of_a_row() -> None:
    schema = json.loads(render_schema())

    assert {column["name"] for column in schema} == set(kettle_row(WHOLE))
    assert {f["name"] for column in schema for f in column.get("fields", ())} == {
        "key", "value", "name", "time", "failed", "failure_text",
    }  # fmt: skip
    assert {column["name"] for column in schema if column["mode"] == "REPEATED"} == {"metadata", "test"}
