"""Which rows TestGrid alerts on: enough failures before enough passes, looked at from the newest build on.

Source: consumers.md section 6; GoogleCloudPlatform/testgrid v0.0.123, pkg/updater/updater.go (``alertRow``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed.testgrid.cells import Cell, Value

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class AlertRule:
    """``failures`` open an alert (``num_failures_to_alert``), ``passes`` close it (``num_passes_to_disable_alert``)."""

    failures: int = 1
    passes: int = 1


@dataclass(frozen=True, slots=True)
class RowAlert:
    """One row that fails. Columns by their index, newest is 0.

    ``failures`` counts those of this outage; ``first_bad`` is its oldest column, ``latest_bad`` its newest;
    ``last_good`` the newest pass before it, None where there is none or where a retry says that it is not certain.
    """

    failures: int
    first_bad: int
    latest_bad: int
    last_good: int | None


def alert_of(cells: Sequence[Cell | None], rule: AlertRule) -> RowAlert | None:
    """Return the alert of a row whose cells are given newest first, or None."""
    in_a_row = failures = passes = first_bad = latest_bad = 0
    last_good: int | None = None
    for index, cell in enumerate(cells):
        if cell is None or cell.value is Value.RUNNING:
            continue
        if cell.value is Value.FAIL:
            passes, last_good = 0, None
            in_a_row, failures = in_a_row + 1, failures + 1
            first_bad, latest_bad = index, latest_bad if failures > 1 else index
        elif cell.value is Value.FLAKY:
            passes = 0
            if in_a_row >= rule.failures:
                break  # nobody can say at which commit it began
            in_a_row = 0
        else:
            passes += 1
            if in_a_row >= rule.failures:
                last_good = index if last_good is None else last_good
                if passes >= rule.passes:
                    break
            elif passes >= rule.passes:
                return None
            else:
                in_a_row = 0
    return RowAlert(failures, first_bad, latest_bad, last_good) if in_a_row >= rule.failures else None
