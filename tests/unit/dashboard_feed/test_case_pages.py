"""The page of one test: who fails it, since when, and no more of it than fits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Build, Job
from dashboard_feed.case_pages import MOST_BUILDS, MOST_TEXTS, Place, failed_tests
from dashboard_feed.case_pages import case_files as pages_of
from dashboard_feed.links import test_page as path_of
from dashboard_feed.render import Renderer
from dashboard_feed.summary import summarize
from upload.model import Case, Status

NOW_S = 1_795_367_000
DAY_S = 86_400
NAME = "[sig-apps] Deployment should roll over"


def case(status: str, text: str = "", name: str = NAME, seconds: float = 4.0) -> Case:
    return Case(name, Status(status), seconds=seconds, text=text)


def places(**jobs: list[list[Case]]) -> dict[str, tuple[Place, ...]]:
    """Return the tests of jobs, each with the cases of its builds, newest first."""
    summaries = []
    for name, many in jobs.items():
        builds = []
        for index, cases in enumerate(many):
            at_s = NOW_S - (index + 1) * 3600
            metadata = (("provider", name),)
            number = str(1000 - index)
            builds.append(Build(name, number, at_s, at_s + 60, is_finished=True, cases=tuple(cases), metadata=metadata))
        job = Job(BucketSpec("gs://b/logs/", "p:"), name, tuple(builds))
        summaries.append(summarize(job, NOW_S, builds=30))
    return failed_tests(summaries)


def html(tests: dict[str, tuple[Place, ...]], name: str = NAME) -> str:
    return pages_of(Renderer(Path("/srv/site"), NOW_S, tests), tests)[path_of(name)].decode()


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param({"gce": [[case("passed")]], "azure": [[case("passed")]]}, [], id="good everywhere"),
        pytest.param({"gce": [[case("skipped", "no nodes")]]}, [], id="never ran"),
        pytest.param({"gce": [[case("passed")]], "azure": [[case("failed")]]}, ["azure", "gce"], id="one fails"),
        pytest.param(
            {"gce": [[case("passed")], [case("failed")]], "aws": [[case("passed")]]}, ["gce", "aws"], id="it failed"
        ),
        pytest.param({"gce": [[case("failed"), case("passed")]]}, ["gce"], id="a retry"),
        pytest.param(
            {"a": [[case("failed")], [case("passed")]], "b": [[case("failed")], [case("failed")]]},
            ["b", "a"],
            id="longest first",
        ),
    ],
)
def test_a_test_that_failed_has_a_page_with_all_jobs_that_run_it(
    jobs: dict[str, list[list[Case]]], expected: list[str]
) -> None:
    assert [place.job.name for place in places(**jobs).get(NAME, ())] == expected


def test_the_page_says_where_and_since_when_it_fails_and_how_long_it_takes() -> None:
    bad, good = case("failed", "not after 120 s", seconds=120), case("passed", seconds=4)
    page = html(places(gce=[[good], [good]], azure=[[bad], [bad], [good]]))

    assert "<h1>Fails in 1 of 2 jobs</h1>" in page
    assert "Fails on azure." in page
    assert re.findall(r"fails in 2 builds, since \d+ Nov \d\d:\d\d", page)
    durations = re.findall(r'<td class="n">([^<]*)</td>', page)
    assert durations == ["4.0 s", "2 min", "4.0 s", "4.0 s"]
    assert page.count("not after 120 s") == 1  # two builds say the same


def test_a_page_does_not_grow_with_history() -> None:
    tests = places(gce=[[case("failed", f"text {index}")] for index in range(29)])

    page = html(tests)
    assert page.count('class="cell m-failed" href=') == MOST_BUILDS
    assert page.count("<pre ") == MOST_TEXTS
    assert "text 0" in page
    assert f"{MOST_BUILDS - MOST_TEXTS} more texts." in page


def test_what_a_bucket_says_stays_text() -> None:
    name, text = '<img src=x onerror="alert(1)">', "</pre><script>alert(2)</script>"
    tests = places(gce=[[case("failed", text, name)]])
    page = html(tests, name)

    assert "<img" not in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(2)" in page
