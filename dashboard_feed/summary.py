"""What one look at a job must tell: is it good, what broke, since when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed.builds import DAY_S, Build, Job, Mark, step_name
from dashboard_feed.grid import Column, Grid, Row, make_grid
from dashboard_feed.show import count
from dashboard_feed.testgrid.cells import make_rows
from dashboard_feed.testgrid.flakiness import Flakiness, Meter, meter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STALE_AFTER_S = 2 * DAY_S  # a nightly job that missed a night


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job with its grid. ``decided`` is the newest column that has a verdict, or None.

    ``meter`` tells how flaky tests are, ``flakiness`` what it tells today of those that fail or failed, by name.
    """

    job: Job
    grid: Grid
    decided: Column | None
    is_stale: bool
    meter: Meter
    flakiness: Mapping[str, Flakiness]

    @property
    def mark(self) -> Mark | None:
        """The newest verdict; RUNNING while there is none, None without builds."""
        if self.decided is None:
            return Mark.RUNNING if self.job.builds else None
        return self.decided.mark

    @property
    def newest(self) -> Build | None:
        """The newest build, finished or not."""
        return self.job.builds[0] if self.job.builds else None

    @property
    def ended(self) -> tuple[Column, ...]:
        """The columns that have a verdict."""
        return tuple(column for column in self.grid.columns if column.mark is not Mark.RUNNING)

    @property
    def passes(self) -> int:
        """How many of those passed."""
        return sum(1 for column in self.ended if column.mark is Mark.PASSED)

    @property
    def pass_percent(self) -> int | None:
        """Passed builds in percent, rounded down so that only a spotless job shows 100."""
        return 100 * self.passes // len(self.ended) if self.ended else None

    @property
    def is_bad(self) -> bool:
        """Tell whether somebody has to look: a bad verdict, or a test that fails now."""
        return (self.mark is not None and self.mark.is_bad) or bool(self.grid.failing)

    @property
    def streak(self) -> int:
        """How many of the newest verdicts are the same kind, good or bad."""
        length = 0
        for column in self.ended:
            if column.mark.is_bad != self.ended[0].mark.is_bad:
                break
            length += 1
        return length

    @property
    def oldest_failure(self) -> Row | None:
        """The failing row that has failed longest."""
        return max(self.grid.failing, key=lambda row: row.failing_for, default=None)

    @property
    def headline(self) -> str:
        """The state of the job as a sentence without a full stop."""
        if self.mark is None:
            return "No builds were found"
        if self.decided is None:
            return "The first build is running"
        if self.grid.failing:
            return _failing(self)
        if self.mark is Mark.FAILED:
            return "The newest build failed outside of its tests"
        if self.mark.is_bad:
            was = "was aborted" if self.mark is Mark.ABORTED else "never finished"
            return f"The newest build {was}"
        passed = "The newest build passed" if self.streak == 1 else f"{self.streak} builds passed in a row"
        return f"{passed}; {count(len(self.grid.flaky), 'flaky test')}" if self.grid.flaky else passed


def summarize(job: Job, now_s: int, *, builds: int) -> JobSummary:
    """Return the summary of a job over its newest ``builds``."""
    grid = make_grid(job.builds[:builds], now_s)
    decided = next((column for column in grid.columns if column.mark is not Mark.RUNNING), None)
    newest_s = job.builds[0].at_s if job.builds else None
    is_stale = newest_s is not None and now_s - newest_s > STALE_AFTER_S
    told = meter(make_rows(job.builds, now_s))
    bad = (row.name for row in grid.rows if row.failing_for or row.is_flaky)
    flakiness = {name: found for name in bad if (found := told.of(name, end_s=now_s)) and found.runs}
    return JobSummary(job, grid, decided, is_stale, told, flakiness)


def by_urgency(summaries: Sequence[JobSummary]) -> list[JobSummary]:
    """Return the jobs in the order in which somebody has to look: bad, stale, the rest; by name within."""
    return sorted(summaries, key=lambda s: (not s.is_bad, not s.is_stale, s.job.full_name))


def _failing(summary: JobSummary) -> str:
    steps = [step_name(row.name) for row in summary.grid.failing if row.is_step]
    tests = len(summary.grid.failing) - len(steps)
    parts = [f"step {name}" for name in steps[:3]]
    if tests:
        parts.append(count(tests, "test"))
    verb = "fails" if len(steps) + tests == 1 else "fail"
    sentence = f"{' and '.join(parts)} {verb}"
    if summary.mark is Mark.PASSED:
        sentence += ", although the build says that it passed"
    return sentence[0].upper() + sentence[1:]
