from __future__ import annotations

import gzip
import json
import re
import resource
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.ingest.bucket import BucketReport, Delivery, Options, collect_bucket
from dashboard_feed.ingest.collect import FIRST_PAUSE_S, CollectReport, collect
from dashboard_feed.ingest.outcome import SETTLED_AFTER_S
from dashboard_feed.kettle import warehouse_rows
from dashboard_feed.warehouse.manifest import BucketState
from dashboard_feed.warehouse.query import opened
from upload.errors import ResultsError
from upload.store import open_store

NOW_S = 1_795_367_000  # 2026-11-22 17:03:20
JUNIT = b'<testsuite tests="1"><testcase name="t" time="1"><failure>why</failure></testcase></testsuite>'


def write(root: Path, build: str, *, finished: object = True, **files: bytes) -> None:
    folder = root / build
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    (folder / "started.json").write_text(json.dumps({"timestamp": NOW_S - 3600, "repos": {"k": "master"}}))
    (folder / "artifacts/junit_01.xml").write_bytes(files.get("junit", JUNIT))
    if finished is not None:
        text = json.dumps({"timestamp": NOW_S, "passed": finished, "result": "SUCCESS"})
        (folder / "finished.json").write_text(text)


def spec(root: Path, prefix: str = "p:", **rest: object) -> BucketSpec:
    return BucketSpec(f"{root.as_uri()}/", prefix, **{"sequential": False, **rest})  # type: ignore[arg-type]  # fields by name


class Federation:
    """Buckets below one folder and a warehouse beside them."""

    def __init__(self, root: Path) -> None:
        self.bucket = root / "bucket"
        self.bucket.mkdir()
        self.warehouse = root / "warehouse"

    def collect(self, *specs: BucketSpec, now_s: int = NOW_S, **options: object) -> CollectReport:
        found = Options(now_s, **options)  # type: ignore[arg-type]  # fields by name
        return collect(specs or (spec(self.bucket),), open_store(str(self.warehouse)), found, holder="me")

    def one(self, **options: object) -> BucketReport:
        (report,) = self.collect(**options).buckets  # type: ignore[arg-type]  # options by name
        return report

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        with opened(open_store(str(self.warehouse))) as connection:
            return connection.execute(sql).fetchall()

    def numbers(self) -> list[str]:
        return [str(number) for (number,) in self.ask("SELECT number FROM builds ORDER BY number::HUGEINT")]


@pytest.fixture
def here(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


def counts(report: BucketReport) -> tuple[int, int, int]:
    return (report.settled, report.running, report.again)


def rules(report: BucketReport) -> list[tuple[str, str]]:
    return [(job, finding.rule) for job, finding in report.notes]


def test_what_was_read_is_not_read_again(here: Federation) -> None:
    for number in ("1001", "1002"):
        write(here.bucket, f"j/{number}")
    first, again = here.one(), here.one()
    write(here.bucket, "j/1003")
    third = here.one()

    assert (counts(first), counts(again), counts(third)) == ((2, 0, 0), (0, 0, 0), (1, 0, 0))
    assert (again.requests, third.requests) == (
        3,
        2 + 1 + 3,
    )  # jobs, ids, latest-build.txt; of a build a list, 3 objects
    assert here.numbers() == ["1001", "1002", "1003"]
    assert here.ask("SELECT count(*) FROM cases") == [(3,)]


def test_an_idle_collect_writes_nothing(here: Federation) -> None:
    write(here.bucket, "j/1")
    write(here.bucket, "j/odd")
    (here.bucket / "empty/notes").mkdir(parents=True)
    (here.bucket / "empty/notes/x").touch()

    assert [here.collect().commits for _ in range(3)] == [1, 0, 0]
    assert here.ask("SELECT job, rule FROM findings WHERE build = '' ORDER BY job") == [
        ("empty", "build.id"),
        ("j", "build.id"),
    ]


def test_an_unfinished_build_is_read_again_until_it_ends(here: Federation) -> None:
    write(here.bucket, "j/1", finished=None)
    first, second = here.one(), here.one(now_s=NOW_S + 600)
    assert (counts(first), counts(second)) == ((0, 1, 0), (0, 1, 0))
    assert here.ask("SELECT number, is_finished, passed FROM builds") == [("1", False, None)]
    assert here.ask("SELECT * FROM cases") == []

    write(here.bucket, "j/1")
    assert counts(here.one(now_s=NOW_S + 1200)) == (1, 0, 0)
    assert here.ask("SELECT number, is_finished, passed FROM builds") == [("1", True, True)]
    assert counts(here.one(now_s=NOW_S + 1800)) == (0, 0, 0)


def test_one_that_never_ends_is_settled_in_the_end(here: Federation) -> None:
    write(here.bucket, "j/1", finished=None)
    here.collect()
    late = NOW_S + SETTLED_AFTER_S

    assert (counts(here.one(now_s=late)), counts(here.one(now_s=late + 60))) == ((1, 0, 0), (0, 0, 0))
    assert here.ask("SELECT is_finished FROM builds") == [(False,)]
    assert here.ask("SELECT name FROM cases") == [("t",)]


def test_jobs_grow_wider_ids(here: Federation) -> None:
    for ids in (("8", "9"), ("10",), ("99", "100"), ("1795359926123456789",)):
        for number in ids:
            write(here.bucket, f"j/{number}")
        (here.bucket / "j/latest-build.txt").write_text(ids[-1])
        assert here.one().settled == len(ids)

    assert here.numbers() == ["8", "9", "10", "99", "100", "1795359926123456789"]


def test_pull_requests_and_batches_are_found_by_their_aliases(here: Federation) -> None:
    root = here.bucket / "pr-logs"
    for number, folder in (("1", "pull/o_r/12/j"), ("2", "pull/batch/j")):
        write(root, f"{folder}/{number}")
        (root / "directory/j").mkdir(parents=True, exist_ok=True)
        (root / f"directory/j/{number}.txt").write_text(f"{root.as_uri()}/{folder}/{number}")
    (root / "directory/j/3.txt").write_text("gs://elsewhere/pr-logs/pull/o_r/9/k/3")
    first = here.collect(spec(root))

    assert rules(first.buckets[0]) == [("j", "alias.link")]
    assert here.ask("SELECT number, pull, build FROM builds ORDER BY number") == [
        ("1", "o_r/12", f"{root.as_uri()}/pull/o_r/12/j/1"),
        ("2", "batch", f"{root.as_uri()}/pull/batch/j/2"),
    ]
    assert here.collect(spec(root)).buckets[0].settled == 0


def test_a_bucket_that_fails_is_left_alone_for_longer_each_time(here: Federation, tmp_path: Path) -> None:
    write(here.bucket, "j/1")
    bad = BucketSpec("gs://UPPER/", "bad:")

    def later(seconds: int, **options: object) -> BucketReport:
        report = here.collect(bad, spec(here.bucket), now_s=NOW_S + seconds, **options)
        assert report.has_errors
        return report.buckets[0]

    first = later(0)
    assert (rules(first), first.skipped) == ([("", "bucket.unreadable")], "")
    told = f"left alone for 100 s more, after 1 failures in a row: {first.failure}"
    assert later(FIRST_PAUSE_S - 100).skipped == told
    assert later(FIRST_PAUSE_S - 100, retry=True).failure == first.failure
    assert "after 2 failures in a row" in later(2 * FIRST_PAUSE_S).skipped
    assert here.numbers() == ["1"]
    assert here.ask("SELECT bucket, rule, read_s FROM findings WHERE build = ''") == [
        ("gs://UPPER/", "bucket.unreadable", NOW_S)
    ]


def test_a_bucket_that_came_back_has_no_finding(here: Federation) -> None:
    here.bucket.rmdir()
    here.bucket.touch()
    write_spec = spec(here.bucket / "x", "a:")
    assert rules(here.collect(write_spec).buckets[0]) == [("", "bucket.empty")]
    here.bucket.unlink()
    write(here.bucket / "x", "j/1")
    assert rules(here.collect(write_spec).buckets[0]) == []

    assert here.ask("SELECT * FROM findings WHERE build = ''") == []


def test_jobs_are_matched_excluded_and_cut_to_a_history(here: Federation) -> None:
    for build in ("a/1", "a/2", "a/3", "b/1", "old/1"):
        write(here.bucket, build)
    bucket = spec(here.bucket, exclude_jobs=("old",))
    (report,) = here.collect(bucket, match=re.compile("p:a"), history=2).buckets

    assert (report.jobs, report.excluded, report.older) == (1, 2, 1)
    assert here.numbers() == ["2", "3"]


def test_days_too_old_are_dropped(here: Federation) -> None:
    write(here.bucket, "j/1")
    here.collect(keep_days=3)
    report = here.collect(keep_days=3, now_s=NOW_S + 5 * 86_400)

    assert (report.expired, report.builds, here.numbers()) == (1, 0, [])


def test_compressed_and_odd_files_are_read(here: Federation) -> None:
    suites = b"<testsuites><testsuite name='s'><properties/><testcase name='u'/></testsuite></testsuites>"
    write(here.bucket, "j/1", junit=gzip.compress(suites))
    (here.bucket / "j/1/started.json").write_bytes(gzip.compress(b'{"timestamp": "1795363400"}'))
    (here.bucket / "j/1/prowjob.json").write_text("{}")
    (here.bucket / "j/1/artifacts/junit_02.xml").write_bytes(gzip.compress(JUNIT)[:40])
    here.collect()

    assert here.ask("SELECT name, suite, is_nested FROM cases WHERE suite <> ''") == [("u", "s", True)]
    assert here.ask("SELECT started_s FROM builds") == [(1_795_363_400,)]
    assert here.ask("SELECT rule FROM findings ORDER BY rule") == [("object.unreadable",), ("started.timestamp",)]


@pytest.mark.slow
def test_a_report_of_100_mb_does_not_fill_the_memory(here: Federation) -> None:
    """A case of much output, again and again: it is on the disk, and only what is kept of a case in the memory."""
    case = b"<testcase name='t%d' time='1'><system-out>" + b"x" * 1_000_000 + b"</system-out></testcase>\n"
    write(here.bucket, "j/1")
    with (here.bucket / "j/1/artifacts/junit_01.xml").open("wb") as file:
        file.write(b"<testsuite>")
        file.writelines(case % number for number in range(95))
        file.write(b"</testsuite>")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    here.collect()

    assert here.ask("SELECT count(*) FROM cases") == [(95,)]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB; the file alone has 95,000


def test_kettle_rows_are_made_of_what_was_read(here: Federation) -> None:
    write(here.bucket, "j/1")
    write(here.bucket, "j/2", junit=b"<testsuites><testsuite name='s'><testcase name='u'/></testsuite></testsuites>")
    write(here.bucket, "j/3", finished=None)
    for name in ("extra/junit_05.xml", "junit_06.xml"):
        (here.bucket / "j/1/artifacts" / name).parent.mkdir(exist_ok=True)
        (here.bucket / "j/1/artifacts" / name).write_text(
            "<testsuite><testcase name='x'><skipped/></testcase></testsuite>"
        )
    here.collect()
    first, second = [json.loads(line) for line in warehouse_rows(open_store(str(here.warehouse)))]

    assert first == {
        "path": f"{here.bucket.as_uri()}/j/1",
        "job": "p:j",
        "number": 1,
        "started": NOW_S - 3600,
        "finished": NOW_S,
        "elapsed": 3600,
        "passed": True,
        "result": "SUCCESS",
        "repos": '{"k": "master"}',
        "test": [{"name": "t", "time": 1.0, "failed": True, "failure_text": "why"}],
        "tests_run": 1,
        "tests_failed": 1,
    }
    assert (second["number"], second["test"]) == (2, [{"name": "s u", "time": 0.0}])


def test_a_bucket_without_end_is_left_when_its_time_is_over(here: Federation) -> None:
    for number in range(200):
        write(here.bucket, f"j/{1000 + number}")
    ticks = iter(range(10**6))
    taken: list[Delivery] = []
    options = Options(NOW_S, bucket_s=1_000, threads=1)
    report = collect_bucket(spec(here.bucket), BucketState(), taken.append, options, clock=lambda: next(ticks))

    assert rules(report)[-1] == ("", "bucket.slow")
    assert 0 < report.settled < 200
    assert len(taken[-1].settled) == report.settled % 64 or report.settled % 64 == 0


def test_errors_of_the_warehouse_are_no_fault_of_a_bucket(here: Federation) -> None:
    write(here.bucket, "j/1")
    here.collect()
    (here.warehouse / "warehouse.json").write_text("{}")
    with pytest.raises(ResultsError, match="no warehouse's manifest"):
        here.collect()
