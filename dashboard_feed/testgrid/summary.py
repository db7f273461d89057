"""A dashboard as TestGrid's summarizer stores it: one tab a job, with its state, its alerts and its latest green build.

Source: consumers.md section 6; GoogleCloudPlatform/testgrid v0.0.123, pkg/summarizer/summary.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

from dashboard_feed.show import stamp
from dashboard_feed.testgrid.alerts import AlertRule, RowAlert, alert_of
from dashboard_feed.testgrid.cells import Cell, Rows, Value
from dashboard_feed.testgrid.state import MOST_ROWS, clean, commit_of
from dashboard_feed.testgrid.wire import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECENT = 5
NO_RUNS = "no completed results"
NO_GREEN = "no recent greens"
_PASSING = (Value.PASS, Value.PASS_WITH_SKIPS)


class TabStatus(IntEnum):
    """The state of a tab, numbered as in ``DashboardTabSummary.TabStatus``."""

    UNKNOWN = 1
    PASS = 2
    FAIL = 3
    FLAKY = 4
    STALE = 5


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of a dashboard. ``stale_after_s``: no column for so long makes it stale."""

    name: str
    rows: Rows
    rule: AlertRule
    stale_after_s: int
    recent: int = RECENT


def render_summary(dashboard: str, tabs: Sequence[Tab], now_s: int) -> bytes:
    """Return the summary of a dashboard. It changes with builds alone, and when a tab becomes stale."""
    return encode("DashboardSummary", {"tab_summaries": [_tab(clean(dashboard), tab, now_s) for tab in tabs]})


def summary_name(dashboard: str) -> str:
    """Return the name of a dashboard's summary: lower case, letters and digits alone."""
    return "summary-" + "".join(c for c in dashboard.lower() if c.isascii() and c.isalnum())


def _tab(dashboard: str, tab: Tab, now_s: int) -> dict[str, object]:
    every = dict(list(tab.rows.cells.items())[:MOST_ROWS])
    rows = {name: cells for name, cells in every.items() if _is_recent(name, cells, tab.recent)}
    alerts = [(name, cells, alert) for name, cells in rows.items() if (alert := alert_of(cells, tab.rule))]
    last_s = tab.rows.columns[0].started_s if tab.rows.columns else 0
    stale = _stale(last_s, tab.stale_after_s, now_s)
    return {
        "dashboard_name": dashboard,
        "dashboard_tab_name": clean(tab.name),
        "alert": stale,
        "failing_test_summaries": [_failing(tab.rows, *each) for each in alerts],
        "last_update_timestamp": float(last_s),
        "status": _status(list(rows.values()), min(tab.recent, len(tab.rows.columns))),
        "overall_status": int(_overall(list(rows.values()), tab.recent, is_stale=bool(stale), has_alerts=bool(alerts))),
        "latest_green": _latest_green(tab.rows, list(rows.values())),
        "last_run_timestamp": float(last_s),
    }


def _is_recent(name: str, cells: Sequence[Cell | None], recent: int) -> bool:
    return "@TESTGRID@" not in name and any(cell is not None for cell in cells[:recent])


def _stale(last_s: int, stale_after_s: int, now_s: int) -> str:
    if not last_s:
        return NO_RUNS
    if now_s - last_s <= stale_after_s:
        return ""
    return f"latest column from {stamp(last_s)} UTC, older than {stale_after_s // 3600} h"


def _columns(rows: Sequence[Sequence[Cell | None]]) -> Iterator[list[Cell]]:
    """Yield the cells of each column, newest first."""
    for cells in zip(*rows, strict=True):
        yield [cell for cell in cells if cell is not None]


def _status(rows: Sequence[Sequence[Cell | None]], recent: int) -> str:
    completed = passing = filled = passes = 0
    for _, column in zip(range(recent), _columns(rows), strict=False):
        ended = [cell.value for cell in column if cell.value is not Value.RUNNING]
        good = sum(1 for value in ended if value in _PASSING)
        completed += bool(ended)
        passing += good > 0 and Value.FAIL not in ended
        filled, passes = filled + len(ended), passes + good
    if not filled:
        return NO_RUNS
    shares = 100 * passing / completed, 100 * passes / filled
    return (
        f"{passing} of {completed} ({shares[0]:.1f}%) recent columns passed "
        f"({passes} of {filled} or {shares[1]:.1f}% cells)"
    )


def _overall(rows: Sequence[Sequence[Cell | None]], recent: int, *, is_stale: bool, has_alerts: bool) -> TabStatus:
    """Return the first that holds; a column that still runs is not looked at, but for what failed in it."""
    if is_stale or has_alerts:
        return TabStatus.STALE if is_stale else TabStatus.FAIL
    found = 0
    for column in _columns(rows):
        values = {cell.value for cell in column}
        if values - {Value.RUNNING, *_PASSING}:
            return TabStatus.FLAKY
        found += bool(values) and Value.RUNNING not in values
        if found == recent:
            break
    return TabStatus.PASS if found else TabStatus.UNKNOWN


def _latest_green(rows: Rows, cells: Sequence[Sequence[Cell | None]]) -> str:
    for column, found in zip(rows.columns, _columns(cells), strict=False):
        if found and all(cell.value in _PASSING for cell in found):
            return commit_of(column)
    return NO_GREEN


def _failing(rows: Rows, name: str, cells: Sequence[Cell | None], alert: RowAlert) -> dict[str, object]:
    first, latest = rows.columns[alert.first_bad], rows.columns[alert.latest_bad]
    newest = cells[alert.latest_bad]
    link = " " + quote(clean(name), safe="$&+=:@")
    told: dict[str, object] = {
        "display_name": clean(name),
        "test_name": clean(name),
        "fail_build_id": commit_of(first),
        "fail_timestamp": float(first.started_s),
        "fail_count": alert.failures,
        "failure_message": clean(newest.message) if newest else "",
        "fail_test_link": link,
        "latest_fail_build_id": commit_of(latest),
        "latest_fail_test_link": link,
    }
    if alert.last_good is not None:
        good = rows.columns[alert.last_good]
        told |= {"pass_build_id": commit_of(good), "pass_timestamp": float(good.started_s)}
    return told
