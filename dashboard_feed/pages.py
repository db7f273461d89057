"""The pages of the site: plain values in, ``path → bytes`` out."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from dashboard_feed import links, show
from dashboard_feed.builds import Bucket
from dashboard_feed.history import Suite, bad_tests
from dashboard_feed.render import Renderer, script_of
from dashboard_feed.summary import JobSummary
from dashboard_feed.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dashboard_feed.regressions import Regression
    from upload.model import Finding

MOST_FINDINGS = 30
MOST_REGRESSIONS = 200
MESSAGE_CHARS = 300
_GITHUB = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything that was read, summarized; jobs by urgency."""

    buckets: tuple[Bucket, ...]
    summaries: tuple[JobSummary, ...]
    suites: tuple[Suite, ...]
    match: str | None


def anchor(name: str) -> str:
    """Return the id of a failed case on its build's page: any name makes a valid one."""
    return "case-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def findings_of(bucket: Bucket) -> tuple[Finding, ...]:
    """Return a bucket's own findings and those of its builds, newest build first."""
    return (*bucket.findings, *(f for job in bucket.jobs for build in job.builds for f in build.findings))


def index_page(renderer: Renderer, whole: Whole) -> bytes:
    """Return the first page: every job by urgency, then the last 24 hours, then what could not be read."""
    summaries = whole.summaries
    starts = [b.at_s for s in summaries for b in s.job.builds[:1] if b.at_s is not None]
    found = [(bucket, findings_of(bucket)) for bucket in whole.buckets]
    bad = sum(1 for s in summaries if s.is_bad)
    return renderer.page(
        "index.html",
        links.INDEX,
        buckets=whole.buckets,
        summaries=summaries,
        match=whole.match,
        headline=_headline(summaries, bad),
        is_bad=bad > 0,
        bad_count=bad,
        stale_count=sum(1 for s in summaries if s.is_stale),
        build_count=sum(len(s.job.builds) for s in summaries),
        newest_s=max(starts, default=None),
        suites=whole.suites,
        bad_tests=bad_tests(whole.suites),
        findings=[(bucket, many[:MOST_FINDINGS], len(many)) for bucket, many in found if many],
        finding_count=sum(len(many) for _, many in found),
        anchor=anchor,
    )


def regressions_page(renderer: Renderer, regressions: Sequence[Regression]) -> bytes:
    """Return the page of what broke."""
    shown = regressions[:MOST_REGRESSIONS]
    return renderer.page(
        "regressions.html",
        links.REGRESSIONS,
        is_bad=bool(shown),
        regressions=shown,
        hidden=len(regressions) - len(shown),
    )


def grid_page(renderer: Renderer, summary: JobSummary) -> bytes:
    """Return a job's grid as HTML that needs no script."""
    builds = [column.build for column in summary.grid.columns]
    return renderer.page(
        "job.html",
        links.grid_page(summary.job),
        s=summary,
        is_bad=summary.is_bad,
        days=_spans(show.day(build.at_s) for build in builds),
        commits=_spans(build.commit for build in builds),
        github=_github,
        anchor=anchor,
    )


def grid_script(summary: JobSummary) -> bytes:
    """Return what the grid's tips say: builds, and for each row its cells as ``[column, seconds, message]``."""
    builds = [
        [one_line(c.build.number, 80), show.stamp(c.build.at_s), one_line(c.build.version, 80), c.mark.word]
        for c in summary.grid.columns
    ]
    rows = [
        [
            [index, cell.mark.word, show.duration(cell.seconds), one_line(cell.text, MESSAGE_CHARS)]
            for index, cell in enumerate(row.cells)
            if cell
        ]
        for row in summary.grid.rows
    ]
    return script_of("e2eGrid", {"builds": builds, "rows": rows})


def suite_page(renderer: Renderer, suite: Suite) -> bytes:
    """Return test-history's page of one job."""
    return renderer.page("suite.html", links.suite_page(suite.job), suite=suite, is_bad=suite.failed > 0, anchor=anchor)


def _headline(summaries: Sequence[JobSummary], bad: int) -> str:
    total = len(summaries)
    if not total:
        return "No jobs were found"
    if not bad:
        return "The job is fine" if total == 1 else f"All {total} jobs are fine"
    verb = "is" if bad == 1 else "are"
    return "The job is failing" if total == 1 else f"{bad} of {total} jobs {verb} failing"


def _spans(labels: Iterable[str]) -> list[tuple[str, int]]:
    return [(label, len(list(same))) for label, same in groupby(labels)]


def _github(contact: str) -> str:
    return f"https://github.com/{contact}" if _GITHUB.fullmatch(contact) else ""
