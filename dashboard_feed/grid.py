"""The grid of one job: tests down, builds across, newest first. Pure: builds in, cells out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed.builds import PART, TEST_STEP, Build, Mark, Result, results, step_name, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 3000


@dataclass(frozen=True, slots=True)
class Column:
    """One build as the head of a column."""

    build: Build
    mark: Mark


@dataclass(frozen=True, slots=True)
class Row:
    """One test across the builds.

    ``cells`` are as long as the grid's columns; None where the build has no such test. ``is_step``: a lifecycle step.
    ``failing_for`` counts the builds since the test last passed, 0 when its newest result is good.
    ``since`` is the index of the column where that began; ``last_good`` that of the newest pass before, or None.
    """

    name: str
    is_step: bool
    cells: tuple[Result | None, ...]
    failing_for: int
    since: int | None
    last_good: int | None

    @property
    def failures(self) -> int:
        """In how many builds it failed."""
        return sum(1 for cell in self.cells if cell and cell.mark is Mark.FAILED)

    @property
    def retries(self) -> int:
        """In how many builds it passed only on a later attempt."""
        return sum(1 for cell in self.cells if cell and cell.mark is Mark.FLAKY)

    @property
    def runs(self) -> int:
        """In how many builds it ran."""
        return sum(1 for cell in self.cells if cell and cell.mark is not Mark.SKIPPED)

    @property
    def is_flaky(self) -> bool:
        """Tell whether a test both passed and failed while nothing says that it is broken now. No step is flaky."""
        return not self.is_step and not self.failing_for and self.failures + self.retries > 0


@dataclass(frozen=True, slots=True)
class Grid:
    """A job's rows by columns. ``hidden_rows`` says how many tests were left out to keep the page usable."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    hidden_rows: int = 0

    @property
    def tests(self) -> tuple[Row, ...]:
        """The rows without the steps."""
        return tuple(row for row in self.rows if not row.is_step)

    @property
    def failing(self) -> tuple[Row, ...]:
        """The rows whose newest result is a failure; of a step and its part, or of Test and its tests, the latter."""
        failing = [row for row in self.rows if row.failing_for]
        has_tests = any(not row.is_step for row in failing)
        steps = [row.name for row in failing if row.is_step]
        return tuple(
            row
            for row in failing
            if not row.is_step
            or not (
                (has_tests and step_name(row.name) == TEST_STEP)
                or any(name.startswith(f"{row.name}{PART}") for name in steps)
            )
        )

    @property
    def flaky(self) -> tuple[Row, ...]:
        """The rows that failed and passed."""
        return tuple(row for row in self.rows if row.is_flaky)


def make_grid(builds: Sequence[Build], now_s: int, *, most_rows: int = MOST_ROWS) -> Grid:
    """Return the grid of builds given newest first.

    Rows: failing ones first (longest first), then flaky ones (most failures first), then the rest; by name within.
    A test that was only ever skipped without a reason is dropped, as in TestGrid.
    """
    columns = tuple(Column(build, verdict(build, now_s)) for build in builds)
    cells: dict[tuple[bool, str], list[Result | None]] = {}
    for index, build in enumerate(builds):
        for is_step, cases in ((True, build.steps), (False, build.cases)):
            for result in results(cases):
                if result.mark is Mark.SKIPPED and not result.text:
                    continue
                row = cells.setdefault((is_step, result.name), [None] * len(builds))
                row[index] = result
    rows = sorted((_row(name, is_step, row) for (is_step, name), row in cells.items()), key=_rank)
    return Grid(columns, tuple(rows[:most_rows]), sum(not row.is_step for row in rows[most_rows:]))


def _row(name: str, is_step: bool, cells: list[Result | None]) -> Row:
    """Walk from the newest build back to the last pass; builds without the test say nothing."""
    failing_for, since, last_good = 0, None, None
    for index, cell in enumerate(cells):
        if cell is None or cell.mark is Mark.SKIPPED:
            continue
        if cell.mark is Mark.FAILED:
            failing_for, since = failing_for + 1, index
            continue
        last_good = index
        break
    return Row(name, is_step, tuple(cells), failing_for, since, last_good if failing_for else None)


def _rank(row: Row) -> tuple[int, int, int, int, str]:
    """Put a failing step before the tests, since it explains them, and Test after them, since it repeats them."""
    if row.failing_for:
        place = 1 if not row.is_step else 2 if step_name(row.name) == TEST_STEP else 0
        return (0, place, -row.failing_for, -row.failures, row.name)
    if row.is_flaky:
        return (1, 0, -row.failures, -row.retries, row.name)
    return (2, row.is_step, 0, 0, row.name)
