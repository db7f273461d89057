"""The page of one test across all jobs and parties: who else fails it, since when, how long it takes, what it says.

Only tests that failed or needed a retry somewhere have one. A page shows so many jobs, builds and texts and no more,
however long the history is.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from dashboard_feed import links
from dashboard_feed.builds import Mark
from dashboard_feed.clusters.failures import Origin
from dashboard_feed.pages import anchor
from dashboard_feed.show import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard_feed.builds import Job, Result
    from dashboard_feed.grid import Column, Row
    from dashboard_feed.render import Renderer
    from dashboard_feed.summary import JobSummary
    from dashboard_feed.testgrid.flakiness import Flakiness

MOST_TESTS = 2_000
MOST_PLACES = 60
MOST_BUILDS = 20
MOST_TEXTS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A test in one job. ``cells``: the newest builds that have a result of it, newest first."""

    summary: JobSummary
    row: Row

    @property
    def job(self) -> Job:
        """The job."""
        return self.summary.job

    @property
    def cells(self) -> tuple[tuple[Column, Result], ...]:
        """The newest results with their builds."""
        both = zip(self.summary.grid.columns, self.row.cells, strict=True)
        return tuple((column, cell) for column, cell in both if cell)[:MOST_BUILDS]

    @property
    def platform(self) -> str:
        """Where the cluster of its newest result ran, as metadata ``provider`` or the party names it."""
        return Origin(self.job, self.cells[0][0].build).platform

    @property
    def usual_s(self) -> float | None:
        """How long it takes where it passes: the median of the builds shown, None where it never did."""
        return (
            median(found) if (found := [cell.seconds for _, cell in self.cells if cell.mark is Mark.PASSED]) else None
        )

    @property
    def last_s(self) -> float:
        """How long it took in the newest build."""
        return self.cells[0][1].seconds

    @property
    def since(self) -> Column | None:
        """The oldest build of those since which it fails, None while it is good."""
        return self.summary.grid.columns[self.row.since] if self.row.since is not None else None

    @property
    def flakiness(self) -> Flakiness | None:
        """How flaky it is today, None where nothing is known."""
        return self.summary.flakiness.get(self.row.name)


@dataclass(frozen=True, slots=True)
class Text:
    """What a failure of it said: in this build of this job."""

    job: Job
    column: Column
    result: Result


def failed_tests(summaries: Sequence[JobSummary]) -> dict[str, tuple[Place, ...]]:
    """Return every test that has a page with the jobs that run it, failing ones first, the worst tests first."""
    places: dict[str, list[Place]] = {}
    for summary in summaries:
        for row in summary.grid.tests:
            places.setdefault(row.name, []).append(Place(summary, row))
    bad = {name: many for name, many in places.items() if any(p.row.failures or p.row.retries for p in many)}
    worst = sorted(bad, key=lambda name: (-sum(p.row.failures + p.row.retries for p in bad[name]), name))
    return {name: tuple(sorted(bad[name], key=_rank)) for name in worst[:MOST_TESTS]}


def case_files(renderer: Renderer, tests: Mapping[str, Sequence[Place]]) -> dict[str, bytes]:
    """Return the page of each test."""
    return {links.test_page(name): _page(renderer, name, places) for name, places in tests.items()}


def _page(renderer: Renderer, name: str, places: Sequence[Place]) -> bytes:
    failing = [place for place in places if place.row.failing_for]
    found = [
        Text(place.job, column, cell)
        for place in places[:MOST_PLACES]
        for column, cell in place.cells
        if cell.mark in (Mark.FAILED, Mark.FLAKY)
    ]
    found.sort(key=lambda text: (-(text.column.build.at_s or 0), text.job.full_name))
    newest = list({text.result.text: text for text in reversed(found)}.values())[::-1]  # of equal ones the newest
    return renderer.page(
        "test.html",
        links.test_page(name),
        name=name,
        is_bad=bool(failing),
        headline=_headline(places, failing),
        platforms=sorted({place.platform for place in failing}),
        places=places[:MOST_PLACES],
        hidden=max(0, len(places) - MOST_PLACES),
        texts=newest[:MOST_TEXTS],
        texts_hidden=max(0, len(newest) - MOST_TEXTS),
        anchor=anchor,
    )


def _headline(places: Sequence[Place], failing: Sequence[Place]) -> str:
    jobs = count(len(places), "job")
    if failing:
        return f"Fails in {len(failing)} of {jobs}"
    return f"Failed before, good now in {'the job that runs it' if len(places) == 1 else f'all {jobs}'}"


def _rank(place: Place) -> tuple[bool, int, int, str]:
    return (not place.row.failing_for, -place.row.failing_for, -place.row.failures, place.job.full_name)
