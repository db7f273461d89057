"""Builds to TestGrid's cells: one column a build, one row a test, merged and cut as its updater does.

A failure without a word has the sentence that ``upload.junit`` gives it, where TestGrid shows none.
Source: consumers.md section 6; GoogleCloudPlatform/testgrid v0.0.123, pkg/updater/gcs.go and metadata/junit/junit.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from dashboard_feed.builds import UNFINISHED_AFTER_S, Build, number_s
from upload.model import Case, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OVERALL = "Overall"
MESSAGE_BYTES = 140
MALFORMED = ("report.dtd", "report.malformed", "report.truncated")
"""The findings about a JUnit file at which TestGrid calls a build's artifacts malformed."""

_PARTS = re.compile(r"([0-9]+)|([^0-9]+)")


class Value(IntEnum):
    """What a cell says, numbered as in TestGrid's ``TestStatus``; only those that builds of a bucket come to."""

    NO_RESULT = 0
    PASS = 1
    PASS_WITH_SKIPS = 3
    RUNNING = 4
    FAIL = 12
    FLAKY = 13


_PASSING = (Value.PASS, Value.PASS_WITH_SKIPS)


@dataclass(frozen=True, slots=True)
class Cell:
    """One test in one build. ``icon`` and ``message`` are shown in it and at it; ``seconds``: how long, None unknown."""

    value: Value
    icon: str = ""
    message: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One build. ``cells`` by row name; ``row_of`` gives the row name of each case's own name."""

    build: Build
    cells: Mapping[str, Cell]
    row_of: Mapping[str, str]

    @property
    def started_s(self) -> int:
        """Its start, 0 where started.json does not tell it."""
        return self.build.started_s or 0


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns, newest first, with their cells by row: as long as the columns, None where there is no result."""

    columns: tuple[Column, ...]
    cells: Mapping[str, tuple[Cell | None, ...]]


def make_rows(builds: Sequence[Build], now_s: int) -> Rows:
    """Return the rows of builds given newest first, in TestGrid's order of names."""
    columns = tuple(make_column(build, now_s) for build in builds)
    cells: dict[str, list[Cell | None]] = {}
    for index, column in enumerate(columns):
        for name, cell in column.cells.items():
            cells.setdefault(name, [None] * len(columns))[index] = cell
    return Rows(columns, {name: tuple(cells[name]) for name in sorted(sorted(cells), key=natural)})


def make_column(build: Build, now_s: int) -> Column:
    """Return a build's cells: one for each name of a case or a step, and ``<job>.Overall``."""
    cells: dict[str, list[Cell]] = {}
    row_of: dict[str, str] = {}
    for case in (*build.cases, *build.steps):
        cell = _cell(case)
        if cell is not None:
            name = row_name(case)
            row_of.setdefault(case.name, name)
            cells.setdefault(name, []).append(cell)
    overall = _overall(build, now_s, has_failed=any(c.value is Value.FAIL for many in cells.values() for c in many))
    whole = f"{build.job}.{OVERALL}"
    cells[whole] = [overall, *cells.get(whole, [])]
    return Column(build, {name: merge(many) for name, many in cells.items()}, row_of)


def row_name(case: Case) -> str:
    """Return the name of a case's row: the names of the suites around it and its own, joined by dots."""
    return ".".join(part for part in (*case.suite.split(" / "), case.name) if part)


def merge(cells: Sequence[Cell]) -> Cell:
    """Return all attempts of a test as one cell, ``1/2`` of which passed (``MergeCells``)."""
    if len(cells) == 1:
        return cells[0]
    failed = [cell for cell in cells if cell.value is Value.FAIL]
    passed = [cell for cell in cells if cell.value in _PASSING]
    passes, value = len(passed), Value.FLAKY if failed and passed else _worst(cells)
    told = [*passed, *failed]  # the last failure's message wins, else that of the last skip
    message = next((cell.message for cell in reversed(told) if cell.message), "")
    times = [cell.seconds for cell in cells if cell.seconds is not None]
    icon = f"{passes}/{len(cells)}"
    return Cell(
        value,
        icon,
        cut(f"{icon} runs passed: {message}" if message else f"{icon} runs passed"),
        sum(times) / len(times) if times else None,
    )


def cut(message: str) -> str:
    """Return a message of more than 140 bytes as its first and last 70, halves of characters left out."""
    text = message.encode("utf-8", "replace")
    if len(text) <= MESSAGE_BYTES:
        return message if message.isascii() else text.decode("utf-8")
    half = MESSAGE_BYTES // 2
    return f"{text[:half].decode('utf-8', 'ignore')}...{text[-half:].decode('utf-8', 'ignore')}"


def natural(name: str) -> tuple[tuple[bool, int, str, int], ...]:
    """Return a key that sorts names as TestGrid does: numbers in them by value, before anything else.

    Only their first 400 characters: a key takes thirty times the memory of what it is made of.
    """
    return tuple(
        (not digits, len(digits.lstrip("0")), digits.lstrip("0") or other, len(digits))
        for digits, other in _PARTS.findall(name[:400])
    )


def _cell(case: Case) -> Cell | None:
    """Return one attempt, None for a skip without a reason, which TestGrid drops."""
    if case.status is Status.SKIPPED and case.text in ("", "skipped"):
        return None
    seconds = case.seconds if case.seconds > 0 else None
    message = _first_cut(case.text)
    if case.status is Status.FAILED:
        return Cell(Value.FAIL, "F" if message else "", message, seconds)
    if case.status is Status.SKIPPED:
        return Cell(Value.PASS_WITH_SKIPS, "S", message, seconds)
    return Cell(Value.PASS, seconds=seconds)


def _first_cut(text: str) -> str:
    """Cut as the reader of JUnit does, which marks a character that was cut in half; then as the grid does."""
    content = text.encode("utf-8", "replace")
    if len(content) < MESSAGE_BYTES:
        return content.decode("utf-8")
    half = MESSAGE_BYTES // 2
    shown = (content[:half] + b"..." + content[-half:]).decode("utf-8", "surrogateescape")
    if not shown.isascii() and re.search(r"[\udc80-\udcff]", shown):
        shown = "invalid utf8: " + re.sub(r"[\udc80-\udcff]+", "?", shown)
    return cut(shown)


def _worst(cells: Iterable[Cell]) -> Value:
    order = (Value.PASS, Value.PASS_WITH_SKIPS, Value.RUNNING, Value.FAIL)
    return max((cell.value for cell in cells), key=order.index)


def _overall(build: Build, now_s: int, *, has_failed: bool) -> Cell:
    """Return what TestGrid says of a build as a whole (``overallCell``)."""
    malformed = [
        f"{f.object.removeprefix(f'{build.job}/{build.number}/')}: {f.what}"
        for f in build.findings
        if f.rule in MALFORMED
    ]
    if malformed:
        return Cell(Value.FAIL, "E", cut(f"Malformed artifacts: {', '.join(malformed)}"))
    if build.is_finished and build.finished_s is not None:
        seconds = float(build.finished_s - (build.started_s or 0))
        return _ended(build, seconds, has_failed=has_failed)
    began = build.started_s if build.started_s is not None else number_s(build.number) or 0
    if now_s - began > UNFINISHED_AFTER_S:
        return Cell(Value.FAIL, "T", "Build did not complete within 24 hours")
    return Cell(Value.RUNNING, "R", "Build still running...")


def _ended(build: Build, seconds: float, *, has_failed: bool) -> Cell:
    if build.passed is None and build.result:
        is_passed = build.result == "SUCCESS"
        said = f'finished.json missing "passed": {str(is_passed).lower()}'
        return Cell(Value.PASS if is_passed else Value.FAIL, "E", said, seconds)
    if build.passed:
        return Cell(Value.PASS, seconds=seconds)
    if has_failed:
        return Cell(Value.FAIL, seconds=seconds)
    return Cell(Value.FAIL, "F", "Build failed outside of test results", seconds)
