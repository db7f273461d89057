"""What other programs read of the site: whole values, and names that would break a careless writer."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_feed.alerts import watch
from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import DAY_S, Bucket, Build, Job
from dashboard_feed.outlets import alerts_atom, badge, index_json
from dashboard_feed.render import Renderer
from dashboard_feed.summary import summarize
from dashboard_feed.testgrid.alerts import AlertRule
from upload.model import Case, Status

NOW_S = 1_800_000_000
SPEC = BucketSpec("gs://bucket/logs/", "p:", "who")
TAGS = ("feed", "id", "title", "updated", "author", "name", "link", "entry", "summary")
RENDERER = Renderer(Path("/site"), NOW_S)
ATOM = "{http://www.w3.org/2005/Atom}"


def build(number: int, status: Status, *, test: str = "t", age_s: int = 3600) -> Build:
    case = Case(test, status, text="boom" if status is Status.FAILED else "")
    at_s = NOW_S - age_s - (9 - number) * 3600
    is_passed = status is not Status.FAILED
    return Build("j", str(number), at_s, at_s + 60, True, is_passed, "x", f"v1+{number}", f"c{number}", cases=(case,))


def made(*builds: Build, name: str = "j") -> tuple[bytes, bytes, bytes]:
    """Return index.json, alerts.atom and badge.svg of one job."""
    job = Job(SPEC, name, builds)
    summaries = [summarize(job, NOW_S, builds=30)]
    alerts = watch([Bucket(SPEC, (job,))], AlertRule(), stale_after_s=2 * DAY_S, now_s=NOW_S).alerts
    return index_json(summaries, alerts, NOW_S), alerts_atom(RENDERER, summaries, alerts), badge(RENDERER, summaries[0])


def test_every_job_is_in_the_index() -> None:
    index, _, _ = made(build(9, Status.FAILED), build(8, Status.PASSED))

    document = json.loads(index)
    assert document["jobs"] == [
        {
            "job": "p:j",
            "bucket": "gs://bucket/logs/",
            "contact": "who",
            "state": "failed",
            "is_bad": True,
            "is_stale": False,
            "headline": "1 test fails",
            "passed": 1,
            "ended": 2,
            "failing": ["t"],
            "newest": {
                "build": "9",
                "started": NOW_S - 3600,
                "finished": NOW_S - 3540,
                "version": "v1+9",
                "commit": "c9",
                "page": "jobs/p/j/build-9.html",
            },
            "page": "jobs/p/j/index.html",
            "badge": "jobs/p/j/badge.svg",
        }
    ]
    assert (document["format"], document["read_at"]) == (1, NOW_S)
    assert [(alert["test"], alert["commits"]) for alert in document["alerts"]] == [
        ("j.Overall", "c8..c9"),
        ("t", "c8..c9"),
    ]


def test_a_job_without_builds_is_in_the_index() -> None:
    (job,) = json.loads(made()[0])["jobs"]

    assert (job["state"], job["newest"], job["failing"]) == ("no builds", None, [])


def test_alerts_are_entries_that_keep_their_ids() -> None:
    _, first, _ = made(build(8, Status.FAILED))
    _, later, _ = made(build(9, Status.FAILED), build(8, Status.FAILED), build(7, Status.PASSED))

    old, new = ET.fromstring(first), ET.fromstring(later)
    assert {e.findtext(f"{ATOM}id") for e in old.iter(f"{ATOM}entry")} == {
        e.findtext(f"{ATOM}id") for e in new.iter(f"{ATOM}entry")
    }
    told = {e.findtext(f"{ATOM}title"): e.findtext(f"{ATOM}summary") for e in new.iter(f"{ATOM}entry")}
    assert told["p:j: t fails since build 8"] == "boom (c7..c8)"
    assert [link.get("href") for link in new.iter(f"{ATOM}link")] == [
        "alerts.atom",
        "index.html",
        "jobs/p/j/index.html",
        "jobs/p/j/index.html",
    ]


def test_reading_again_changes_no_byte_of_the_feed() -> None:
    job = Job(SPEC, "j", (build(9, Status.FAILED),))
    alerts = watch([Bucket(SPEC, (job,))], AlertRule(), stale_after_s=2 * DAY_S, now_s=NOW_S).alerts
    feeds = {
        alerts_atom(Renderer(Path("/site"), now_s), [summarize(job, now_s, builds=30)], alerts)
        for now_s in (NOW_S, NOW_S + 600)
    }

    assert len(feeds) == 1


@pytest.mark.parametrize(
    ("builds", "word"),
    [
        ((build(9, Status.PASSED),), "passed"),
        ((build(9, Status.FAILED),), "failed"),
        ((build(9, Status.PASSED, age_s=5 * DAY_S),), "stale"),
        ((), "no builds"),
    ],
    ids=["passed", "failed", "stale", "no builds"],
)
def test_a_badge_says_the_state_in_words(builds: tuple[Build, ...], word: str) -> None:
    picture = ET.fromstring(made(*builds)[2])

    assert picture.get("aria-label") == f"p:j: {word}"


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_no_name_breaks_what_is_written(job: str, test: str) -> None:
    index, feed, picture = made(build(9, Status.FAILED, test=test), name=job)

    assert len(json.loads(index)["jobs"]) == 1
    tags = {element.tag for element in ET.fromstring(feed).iter()}
    assert tags <= {f"{ATOM}{name}" for name in TAGS}
    assert len(list(ET.fromstring(picture).iter())) == 7
