from __future__ import annotations

import json
from pathlib import Path

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.check import BucketCheck, check_buckets
from upload.model import Finding, Severity
from upload.store import Patience

NOW_S = 1_800_000_000


def write_build(root: Path, job: str, number: str, *, passed: object = True) -> None:
    folder = root / job / number
    (folder / "artifacts").mkdir(parents=True)
    (folder / "started.json").write_text(json.dumps({"timestamp": NOW_S, "version": "v1"}))
    finished = {"timestamp": NOW_S, "passed": passed, "result": "SUCCESS", "version": "v1"}
    (folder / "finished.json").write_text(json.dumps(finished))
    (folder / "artifacts/junit_01.xml").write_text(
        '<testsuite tests="1" failures="0" time="1"><testcase name="a" classname="b" time="1"/></testsuite>'
    )


def check(root: Path, *, sample: int = 3, sequential: bool = False, excluded: tuple[str, ...] = ()) -> BucketCheck:
    spec = BucketSpec(f"{root.as_uri()}/", "p:", sequential=sequential, exclude_jobs=excluded)
    (found,) = check_buckets([spec], now_s=NOW_S, sample=sample, bucket_s=60, patience=Patience())
    return found


def rules(found: BucketCheck) -> list[tuple[str, str]]:
    return [(finding.rule, finding.object) for finding in found.findings]


def test_the_newest_build_of_some_jobs_is_verified(tmp_path: Path) -> None:
    for job in ("ci-kubernetes-a", "ci-kubernetes-b", "ci-kubernetes-c", "ci-kubernetes-d"):
        write_build(tmp_path, job, "9", passed="yes")
        write_build(tmp_path, job, "10")
    found = check(tmp_path, sample=2)

    assert (found.jobs, found.builds, found.findings) == (4, ("ci-kubernetes-a/10/", "ci-kubernetes-c/10/"), ())


def test_what_breaks_a_reader_is_told_with_its_place(tmp_path: Path) -> None:
    write_build(tmp_path, "ci-kubernetes-a", "9", passed="yes")
    found = check(tmp_path)

    assert rules(found) == [("finished.verdict", "ci-kubernetes-a/9/finished.json")]
    assert found.has_errors


def test_ids_that_are_times_do_not_count(tmp_path: Path) -> None:
    write_build(tmp_path, "ci-kubernetes-a", "20261122000000")

    assert rules(check(tmp_path, sequential=True)) == [("bucket.sequential", "ci-kubernetes-a/")]


def test_a_name_that_hides_a_job_is_a_warning(tmp_path: Path) -> None:
    write_build(tmp_path, "mine", "1")
    found = check(tmp_path)

    assert [(f.rule, f.object, f.severity) for f in found.findings] == [("job.listed", "mine/", Severity.WARNING)]
    assert not found.has_errors


def test_a_job_without_builds_and_an_excluded_one(tmp_path: Path) -> None:
    (tmp_path / "ci-kubernetes-a/notes").mkdir(parents=True)
    (tmp_path / "ci-kubernetes-a/notes/x").touch()
    (tmp_path / "old/1").mkdir(parents=True)
    (tmp_path / "old/1/x").touch()

    assert rules(check(tmp_path, excluded=("old",))) == [("job.empty", "ci-kubernetes-a/")]


def test_an_address_without_jobs_is_an_error(tmp_path: Path) -> None:
    assert rules(check(tmp_path / "nowhere")) == [("bucket.empty", "")]


def test_a_pull_request_is_found_by_its_alias(tmp_path: Path) -> None:
    root = tmp_path / "pr-logs"
    write_build(root / "pull/o_r/12", "ci-kubernetes-a", "10")
    (root / "directory/ci-kubernetes-a").mkdir(parents=True)
    (root / "directory/ci-kubernetes-a/10.txt").write_text(f"{root.as_uri()}/pull/o_r/12/ci-kubernetes-a/10")
    (root / "directory/ci-kubernetes-b").mkdir(parents=True)
    (root / "directory/ci-kubernetes-b/10.txt").write_text("gs://elsewhere/x")
    found = check(root)

    assert found.builds == ("pull/o_r/12/ci-kubernetes-a/10/",)
    assert rules(found) == [("alias.link", "directory/ci-kubernetes-b/")]


def test_one_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    write_build(tmp_path / "good", "ci-kubernetes-a", "1")
    (tmp_path / "file").touch()
    specs = [BucketSpec("s3://x/", "a:"), BucketSpec(f"{(tmp_path / 'good').as_uri()}/", "b:", sequential=False)]
    bad, good = check_buckets(specs, now_s=NOW_S, sample=3, bucket_s=60, patience=Patience())

    assert bad.findings == (Finding("bucket.unreadable", "", "s3://x/: no store of kind 's3'"),)
    assert (good.builds, good.findings) == (("ci-kubernetes-a/1/",), ())
