"""A job as TestGrid's updater stores it: the Grid message, compressed by zlib.

Source: consumers.md section 6; GoogleCloudPlatform/testgrid v0.0.123, pkg/updater/updater.go (``ConstructGrid``).
"""

from __future__ import annotations

import zlib
from itertools import groupby
from typing import TYPE_CHECKING

from dashboard_feed.testgrid.alerts import AlertRule, RowAlert, alert_of
from dashboard_feed.testgrid.cells import Cell, Column, Rows, Value
from dashboard_feed.testgrid.wire import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 10_000
ELAPSED = "test-duration-minutes"
NO_COMMIT = "missing"


def render_grid(rows: Rows, rule: AlertRule) -> bytes:
    """Return the state of a test group whose only column header is ``Commit``.

    At most 10,000 rows, the first by name. The same rows give the same bytes.
    """
    cells = list(rows.cells.items())[:MOST_ROWS]
    grid = {
        "columns": [_column(column) for column in rows.columns],
        "rows": [_row(name, row, rows.columns, alert_of(row, rule)) for name, row in cells],
    }
    return zlib.compress(encode("Grid", grid), 6)


def clean(text: str) -> str:
    """Return text that a message can carry: a lone surrogate becomes ``?``."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def commit_of(column: Column) -> str:
    """Return a column's header ``Commit``, by which TestGrid names a build in alerts and as the latest green one."""
    return clean(column.build.commit) or (NO_COMMIT if column.build.is_finished else "")


def _column(column: Column) -> dict[str, object]:
    number = clean(column.build.number)
    return {
        "build": number,
        "started": float(column.started_s * 1000),
        "extra": [commit_of(column)],
        "hint": number,
    }


def _row(
    name: str, cells: Sequence[Cell | None], columns: Sequence[Column], alert: RowAlert | None
) -> dict[str, object]:
    """Return a row: results run-length coded, icons and messages of cells that have a result."""
    filled = [cell for cell in cells if cell is not None]
    values = (cell.value if cell else Value.NO_RESULT for cell in cells)
    row: dict[str, object] = {
        "name": clean(name),
        "id": clean(name),
        "results": [number for value, same in groupby(values) for number in (int(value), sum(1 for _ in same))],
        "messages": [clean(cell.message) for cell in filled],
        "icons": [cell.icon for cell in filled],
    }
    if "@TESTGRID@" not in name:  # TestGrid leaves these out for rows of test methods
        row |= {"cell_ids": [""] * len(filled), "properties": [{}] * len(filled)}
    if any(cell.seconds is not None for cell in filled):
        row |= {"metric": [ELAPSED], "metrics": [_elapsed(cells)]}
    if alert is not None:
        row["alert_info"] = _alert(alert, cells, columns)
    return row


def _elapsed(cells: Sequence[Cell | None]) -> dict[str, object]:
    """Return the minutes of cells; ``indices`` are pairs of where a run of them begins and how long it is."""
    seconds = [cell.seconds if cell else None for cell in cells]
    indices: list[int] = []
    place = 0
    for is_known, same in groupby(seconds, key=lambda each: each is not None):
        length = sum(1 for _ in same)
        indices += [place, length] if is_known else []
        place += length
    return {"name": ELAPSED, "indices": indices, "values": [each / 60 for each in seconds if each is not None]}


def _alert(alert: RowAlert, cells: Sequence[Cell | None], columns: Sequence[Column]) -> dict[str, object]:
    first, latest = columns[alert.first_bad], columns[alert.latest_bad]
    newest = cells[alert.latest_bad]
    told: dict[str, object] = {
        "fail_count": alert.failures,
        "fail_build_id": commit_of(first),
        "fail_time": {"seconds": first.started_s},
        "failure_message": clean(newest.message) if newest else "",
        "latest_fail_build_id": commit_of(latest),
    }
    if alert.last_good is not None:
        good = columns[alert.last_good]
        told |= {"pass_build_id": commit_of(good), "pass_time": {"seconds": good.started_s}}
    return told
