"""The verbs publish and verify: what they print and the code they end with."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from e2e.cli import main
from upload.rules.table import RULES

JUNIT = '<testsuites><testsuite name="s"><testcase classname="c" name="{}" time="1"/></testsuite></testsuites>'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("E2E_STATE_DIR", str(tmp_path / "state"))
    for name in ("JOB_NAME", "BUILD_NUMBER", "BUILD_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "art"
    folder.mkdir()
    (folder / "junit_01.xml").write_text(JUNIT.format("test_a"))
    return folder


def code_of(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    return int(ended.value.code or 0)


PUBLISH = ("publish", "art", "--job", "ci-kubernetes-e2e-mine", "--results", "bucket")


def test_publish_says_where_the_build_lies_and_verify_finds_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(*PUBLISH, "--build", "20260722000000", "--version", "v1.36.3", "--metadata", "provider=mine") == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"stored     {(tmp_path / 'bucket').as_uri()}/logs/ci-kubernetes-e2e-mine/20260722000000/"
    assert rest[1] == "verdict    SUCCESS: all passed, or passed on a later attempt"
    finished = tmp_path / "bucket/logs/ci-kubernetes-e2e-mine/20260722000000/finished.json"
    assert json.loads(finished.read_text())["metadata"] == {"job-version": "v1.36.3", "provider": "mine"}

    assert code_of("verify", "bucket") == 0
    assert capsys.readouterr().out == "1 build, 7 objects: 0 errors, 0 warnings\n"


def test_failed_tests_are_published_with_success(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "junit_01.xml").write_text(JUNIT.format("a").replace('"1"/>', '"1"><error>x</error></testcase>'))

    assert code_of(*PUBLISH) == 0
    assert "verdict    FAILURE" in capsys.readouterr().out


def test_state_folder_that_cannot_be_made_is_told_with_what_to_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("E2E_STATE_DIR", str(folder / "junit_01.xml" / "state"))

    assert code_of(*PUBLISH) == 2
    error = capsys.readouterr().err
    assert "cannot be written: Not a directory" in error
    assert "export E2E_STATE_DIR=" in error


@pytest.mark.parametrize("pull", ["kubernetes_kubernetes/7", "batch"])
def test_build_of_a_pull_request_is_stored_with_its_alias(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pull: str
) -> None:
    assert code_of(*PUBLISH, "--build", "20260722000000", "--pull", pull) == 0

    alias = tmp_path / "bucket/pr-logs/directory/ci-kubernetes-e2e-mine/20260722000000.txt"
    assert alias.read_text().endswith(f"/bucket/pr-logs/pull/{pull}/ci-kubernetes-e2e-mine/20260722000000")
    assert code_of("verify", "bucket") == 0
    assert "1 build, 8 objects: 0 errors" in capsys.readouterr().out


def test_dry_run_prints_the_plan_and_writes_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(*PUBLISH, "--build", "7", "--dry-run") == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    base = "logs/ci-kubernetes-e2e-mine"
    assert [line[1] for line in lines[1:7]] == [
        f"{base}/7/artifacts/cases.jsonl",
        f"{base}/7/artifacts/junit_01.xml",
        f"{base}/7/artifacts/original/junit_01.xml.orig",
        f"{base}/7/finished.json",
        f"{base}/jobResultsCache.json",
        f"{base}/latest-build.txt",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["art"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("publish", "art"), 2, "a folder needs --job and --results"),
        (("publish", "art", "--job", "../x", "--results", "b"), 2, "job name"),
        (("publish", "art", "--job", "j", "--results", "b", "--prefix", "a//b"), 2, "prefix"),
        (("publish", "art", "--job", "j", "--results", "b", "--pull", "7"), 2, "pr-logs/pull/ORG_REPO/NUMBER"),
        (("publish", "art", "--job", "j", "--results", "b", "--build", "v1"), 2, "plain integer"),
        (("publish", "art", "--job", "j", "--results", "s3://b"), 2, "no store of kind 's3'"),
        (("publish", "art", "--job", "j", "--results", "b", "--metadata", "x"), 2, "KEY=VALUE"),
        (("publish", "art", "--job", "j", "--results", "b", "--source", "nowhere"), 2, "nowhere"),
        (("publish", "no-such-run", "--source", "."), 2, "is no folder"),
        (("publish", "art", "--job", "j", "--results", "art/junit_01.xml"), 4, "cannot be written"),
        (("publish", "no-such-run", "--job", "j"), 2, "is no folder"),
        (("publish", "no-such-run", "--dry-run"), 2, "is no folder"),
        (("publish", "no-such-run", "--pull", "batch"), 2, "is no folder"),
        (("results", "init", "my-bucket"), 2, "names no bucket"),
        (("results", "init", "gs://my-bucket/logs", "--dry-run"), 2, "names no bucket"),
        (("results", "no-such-run"), 2, "no-such-run"),
        (("verify", "nothing"), 4, "there is no build"),
        (("verify", "ftp://x"), 2, "no store of kind 'ftp'"),
        (("verify", "x", "--reader", "me"), 2, "'me' is not one of"),
    ],
    ids=lambda v: " ".join(v[:8]) if isinstance(v, tuple) else "",
)
def test_bad_use_is_told_in_one_line_with_its_code(
    folder: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], code: int, said: str
) -> None:
    assert code_of(*args) == code

    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_verify_tells_rule_object_reader_and_consequence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code_of(*PUBLISH, "--build", "20260722000000")
    finished = tmp_path / "bucket/logs/ci-kubernetes-e2e-mine/20260722000000/finished.json"
    finished.write_text('{"timestamp": "\\u001b[31m1", "passed": true, "result": "SUCCESS"}')
    capsys.readouterr()

    assert code_of("verify", "bucket") == 4
    where = "logs/ci-kubernetes-e2e-mine/20260722000000/finished.json"
    assert capsys.readouterr().out.splitlines() == [
        f"error    {where}: timestamp is a string; a JSON integer is expected [finished.timestamp]",
        "         test-history, testgrid, gubernator: missing: test-history stops for every bucket; a string or float: TOOL_FAIL",
        "1 build, 7 objects: 1 error, 0 warnings",
    ]

    assert code_of("verify", "bucket", "--reader", "kettle") == 0
    capsys.readouterr()
    assert code_of("verify", "bucket", "--format", "json") == 4
    report = json.loads(capsys.readouterr().out)
    assert (report["builds"], [f["rule"] for f in report["findings"]]) == (1, ["finished.timestamp"])
    assert code_of("verify", "bucket", "--format", "junit") == 4
    suite = ET.fromstring(capsys.readouterr().out)
    cases = {case.get("name"): case.findtext("failure") for case in suite}
    assert (set(cases), suite.get("failures")) == (set(RULES), "1")
    assert str(cases["finished.timestamp"]).startswith(f"error    {where}: timestamp is a string")


def test_commands_that_make_a_bucket_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("results", "init", "gs://my-bucket", "--location", "EU", "--dry-run") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gcloud storage buckets create gs://my-bucket --location=EU ")
    assert len(lines) == 4


def test_runs_are_left_to_the_lifecycle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("publish", "ci-kubernetes-e2e-local-20260722000000") == 2

    assert "ci-kubernetes-e2e-local-20260722000000" in capsys.readouterr().err
