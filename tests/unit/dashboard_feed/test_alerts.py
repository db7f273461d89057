from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard_feed.alerts import Alert, AlertKind, Point, Watched, watch
from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import DAY_S, Bucket, Build, Job
from dashboard_feed.testgrid.alerts import AlertRule
from upload.model import Case, Finding, Status

NOW_S = 1_800_000_000
SPEC = BucketSpec("gs://bucket/logs/", "p:", "who")
GOOD, BAD = Case("t", Status.PASSED), Case("t", Status.FAILED, text="boom")


def build(number: int, *cases: Case, age_s: int = 3600) -> Build:
    passed = all(case.status is not Status.FAILED for case in cases)
    at_s = NOW_S - age_s - (9 - number) * 3600
    return Build("j", str(number), at_s, at_s + 60, True, passed, "x", f"v1+{number}", f"c{number}", cases=cases)


def read(*builds: Build, findings: tuple[Finding, ...] = ()) -> Watched:
    bucket = Bucket(SPEC, (Job(SPEC, "j", builds),), findings)
    return watch([bucket], AlertRule(), stale_after_s=2 * DAY_S, now_s=NOW_S)


def test_a_failing_test_has_the_commits_between_which_it_broke() -> None:
    watched = read(build(9, BAD), build(8, BAD), build(7, GOOD))

    whole, test = watched.alerts
    assert (whole.test, whole.failures) == ("j.Overall", 2)
    assert test == Alert(
        test.id,
        AlertKind.FAILING,
        "p:j",
        test.job_id,
        "gs://bucket/logs/",
        "who",
        "t",
        2,
        first_bad=Point("8", "v1+8", "c8", NOW_S - 7200),
        latest_bad=Point("9", "v1+9", "c9", NOW_S - 3600),
        last_good=Point("7", "v1+7", "c7", NOW_S - 10_800),
        message="boom",
    )
    assert (test.commits, watched.job_ids) == ("c7..c8", frozenset({test.job_id}))


def test_an_alert_keeps_its_id_while_builds_come() -> None:
    first, later = read(build(8, BAD)), read(build(9, BAD), build(8, BAD), build(7, GOOD))

    assert [alert.id for alert in first.alerts] == [alert.id for alert in later.alerts]
    assert len({alert.id for alert in later.alerts}) == 2


def test_without_a_good_build_the_range_is_open() -> None:
    assert [alert.commits for alert in read(build(9, BAD)).alerts] == ["..c9", "..c9"]


@pytest.mark.parametrize(
    ("builds", "expected"),
    [
        pytest.param([build(9, GOOD)], [], id="fresh"),
        pytest.param([build(9, GOOD, age_s=3 * DAY_S)], [Point("9", "v1+9", "c9", NOW_S - 3 * DAY_S)], id="old"),
        pytest.param([], [None], id="never any"),
        pytest.param([Build("j", "20270115080000")], [], id="its number tells the time"),
        pytest.param([Build("j", "1")], [Point("1")], id="no time at all"),
    ],
)
def test_a_job_without_new_builds_is_stale(builds: list[Build], expected: list[Point | None]) -> None:
    stale = [alert for alert in read(*builds).alerts if alert.kind is AlertKind.STALE]

    assert [alert.latest_bad for alert in stale] == expected


def test_what_the_store_did_not_give_opens_no_alert() -> None:
    unread = replace(Build("j", "9"), findings=(Finding("build.unreadable", "j/9/", "HTTP 503"),))

    assert read(unread, build(8, GOOD)).alerts == ()
    assert read(unread, build(8, GOOD, age_s=9 * DAY_S)).alerts == ()


def test_a_job_that_could_not_be_listed_was_not_looked_at() -> None:
    assert read(findings=(Finding("job.unreadable", "j/", "HTTP 503"),)) == Watched((), frozenset())
