"""How flaky a test is: exactly as TestGrid computes it, and beside it what TestGrid leaves out.

TestGrid counts flips from passing to failing and ignores three or more failures in a row: a test that fails four nights
of five, always four together, is not flaky to it. The other measure counts every build in which the test did not pass
at once, with what that proves at least, and the commits at which the test both passed and failed, which nothing but
flakiness explains.
Source: consumers.md section 6; GoogleCloudPlatform/testgrid v0.0.123, pkg/summarizer.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from dashboard_feed.builds import DAY_S
from dashboard_feed.testgrid.cells import Cell, Rows, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERVAL_S = 7 * DAY_S
IGNORED_IN_A_ROW = 3
_INFRASTRUCTURE = re.compile(r"\w+", re.ASCII)
_Z = 1.96  # 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Flakiness:
    """How flaky a test is over an interval.

    ``testgrid``: percent as TestGrid gives it, None where it gives none (only infrastructure failures, only retries).
    ``unsteady``: builds in which it failed or passed only on a later attempt, of ``runs`` in which it ran.
    ``contradictions``: commits at which it passed at once in one build and did not in another, or passed on a retry.
    """

    testgrid: float | None
    unsteady: int
    runs: int
    contradictions: int

    @property
    def percent(self) -> float:
        """The share of builds in which it did not pass at once, 0 to 100."""
        return 100 * self.unsteady / self.runs if self.runs else 0.0

    @property
    def at_least(self) -> float:
        """What is sure of that share: the lower end of its 95 % interval (Wilson), so that 1 of 1 is not worse than 40 of 50."""
        if not self.runs:
            return 0.0
        share, squared = self.unsteady / self.runs, _Z * _Z
        middle = share + squared / (2 * self.runs)
        spread = _Z * sqrt((share * (1 - share) + squared / (4 * self.runs)) / self.runs)
        return max(0.0, 100 * (middle - spread) / (1 + squared / self.runs))


@dataclass(frozen=True, slots=True)
class Meter:
    """The rows of a job, ready to be asked for one test after another. ``failing``: columns in which no row passed."""

    rows: Rows
    failing: tuple[bool, ...]

    def of(self, name: str, *, newest: int = 0, end_s: int) -> Flakiness | None:
        """Return how flaky the case ``name`` was over the seven days before ``end_s``; None for one without a row.

        ``newest``: the index of the newest column that counts, so that a build's page tells what was known then.
        """
        row = next((c.row_of[name] for c in self.rows.columns[newest:] if name in c.row_of), None)
        if row is None:
            return None
        columns, cells = self.rows.columns, self.rows.cells[row]
        within = [i for i in range(newest, len(columns)) if end_s - INTERVAL_S <= columns[i].started_s <= end_s]
        found = [(cell, i) for i in within if (cell := cells[i]) is not None]
        return Flakiness(
            testgrid=self._testgrid(found),
            unsteady=sum(1 for cell, _ in found if cell.value in _UNSTEADY),
            runs=sum(1 for cell, _ in found if cell.value in (*_UNSTEADY, Value.PASS)),
            contradictions=self._contradictions(found),
        )

    def _testgrid(self, found: Sequence[tuple[Cell, int]]) -> float | None:
        """Leave out infrastructure failures and columns in which everything fails, as ``parseGrid`` does."""
        counted = [
            (value, i)
            for cell, i in found
            if (value := _coalesced(cell)) and not (value is Value.FAIL and _INFRASTRUCTURE.fullmatch(cell.message))
        ]
        if not any(value is not Value.FLAKY for value, _ in counted):
            return None
        return flip_flakiness([value for value, i in counted if value is not Value.FAIL or not self.failing[i]])

    def _contradictions(self, found: Sequence[tuple[Cell, int]]) -> int:
        seen: dict[str, set[bool]] = {}
        retried: set[str] = set()
        for cell, i in found:
            build = self.rows.columns[i].build
            commit = build.commit or build.version or f"build {build.number}"
            if cell.value is Value.FLAKY:
                retried.add(commit)
            elif cell.value in (Value.PASS, Value.FAIL):
                seen.setdefault(commit, set()).add(cell.value is Value.PASS)
        return len(retried | {commit for commit, both in seen.items() if len(both) == 2})


_UNSTEADY = (Value.FAIL, Value.FLAKY)


def meter(rows: Rows) -> Meter:
    """Return a meter of a job's rows."""
    many = list(rows.cells.values())
    if len(many) <= 1:
        return Meter(rows, (False,) * len(rows.columns))
    passing = [any(_passed(row[i]) for row in many) for i in range(len(rows.columns))]
    return Meter(rows, tuple(not is_passing for is_passing in passing))


def flip_flakiness(values: Sequence[Value]) -> float:
    """Return TestGrid's percentage of PASS, FLAKY and FAIL given newest first (``calculateFlipFlakiness``).

    Computed in single precision, as there.
    """
    flips, considered, last_passed, i = 0, 0, True, 0
    while i < len(values):
        failures = next((n for n, value in enumerate(values[i:]) if value is not Value.FAIL), len(values) - i)
        if failures >= IGNORED_IN_A_ROW:
            i += failures
            if i >= len(values):
                break
        considered += 1
        if values[i] is Value.FLAKY or (values[i] is Value.FAIL and last_passed):
            flips += 1
        last_passed = values[i] is not Value.FAIL
        i += 1
    return _single(100 * flips / considered) if considered else 0.0


def _single(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded


def _coalesced(cell: Cell) -> Value | None:
    """Return PASS, FAIL or FLAKY; None for what TestGrid does not count here."""
    if cell.value is Value.PASS_WITH_SKIPS:
        return Value.PASS
    return cell.value if cell.value in (Value.PASS, Value.FAIL, Value.FLAKY) else None


def _passed(cell: Cell | None) -> bool:
    return cell is not None and cell.value in (Value.PASS, Value.PASS_WITH_SKIPS, Value.FLAKY)
