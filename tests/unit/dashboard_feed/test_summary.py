from __future__ import annotations

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Build, Job
from dashboard_feed.summary import JobSummary, by_urgency, summarize
from upload.model import Case, Status

NOW_S = 1_800_000_000
SPEC = BucketSpec("gs://bucket/logs/", "p:")
GOOD = Case("t", Status.PASSED)
BAD = Case("t", Status.FAILED)
UP = Case("Up", Status.FAILED)


def build(mark: str, *cases: Case, steps: tuple[Case, ...] = (), age_s: int = 3600) -> Build:
    results = {"P": "SUCCESS", "F": "FAILURE", "A": "ABORTED"}
    return Build(
        "j",
        "1",
        started_s=NOW_S - age_s,
        is_finished=mark in results,
        passed=mark == "P" if mark in results else None,
        result=results.get(mark, ""),
        cases=cases,
        steps=steps,
    )


def summary(*builds: Build, name: str = "j") -> JobSummary:
    return summarize(Job(SPEC, name, builds), NOW_S, builds=30)


@pytest.mark.parametrize(
    ("builds", "headline", "is_bad"),
    [
        pytest.param((), "No builds were found", False, id="none"),
        pytest.param((build("R"),), "The first build is running", False, id="first running"),
        pytest.param((build("P", GOOD),), "The newest build passed", False, id="one pass"),
        pytest.param((build("R"), build("P"), build("P")), "2 builds passed in a row", False, id="passes"),
        pytest.param((build("P", GOOD), build("P", BAD)), "2 builds passed in a row; 1 flaky test", False, id="flaky"),
        pytest.param((build("F", BAD), build("P", GOOD)), "1 test fails", True, id="a test"),
        pytest.param((build("F", steps=(UP,)), build("P")), "Step Up fails", True, id="a step"),
        pytest.param((build("F", BAD, steps=(UP,)),), "Step Up and 1 test fail", True, id="step and test"),
        pytest.param((build("F"),), "The newest build failed outside of its tests", True, id="outside"),
        pytest.param((build("A"),), "The newest build was aborted", True, id="aborted"),
        pytest.param((build("R", age_s=90_000),), "The newest build never finished", True, id="lost"),
        pytest.param(
            (build("P", BAD),), "1 test fails, although the build says that it passed", True, id="contradiction"
        ),
    ],
)
def test_headline(builds: tuple[Build, ...], headline: str, is_bad: bool) -> None:
    found = summary(*builds)

    assert (found.headline, found.is_bad) == (headline, is_bad)


def test_running_builds_count_neither_way() -> None:
    found = summary(build("R"), build("P"), build("F"), build("P"))

    assert (found.passes, len(found.ended), found.pass_percent, found.streak) == (2, 3, 66, 1)


def test_only_a_spotless_job_shows_100() -> None:
    assert summary(*[build("P")] * 29, build("F")).pass_percent == 96


def test_jobs_stand_by_urgency() -> None:
    good, stale, bad, other = (
        summary(build("P"), name="a-good"),
        summary(build("P", age_s=200_000), name="b-stale"),
        summary(build("F"), name="c-bad"),
        summary(build("P"), name="d-good"),
    )

    assert [s.job.name for s in by_urgency([other, good, stale, bad])] == ["c-bad", "b-stale", "a-good", "d-good"]
