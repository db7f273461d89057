from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_feed.builds import Build
from dashboard_feed.testgrid.cells import Cell, Value, cut, make_column, make_rows
from upload.model import Case, Finding, Status

NOW_S = 1_800_000_000
BUILD = Build(
    "j", "7", started_s=NOW_S - 3600, finished_s=NOW_S - 3540, is_finished=True, passed=True, result="SUCCESS"
)
GOOD = Case("t", Status.PASSED, 1.0)
BAD = Case("t", Status.FAILED, 3.0, text="boom")


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        pytest.param([GOOD], Cell(Value.PASS, seconds=1.0), id="pass"),
        pytest.param([BAD], Cell(Value.FAIL, "F", "boom", 3.0), id="fail"),
        pytest.param([replace(BAD, text="")], Cell(Value.FAIL, "", "", 3.0), id="fail without a word"),
        pytest.param([BAD, GOOD], Cell(Value.FLAKY, "1/2", "1/2 runs passed: boom", 2.0), id="retried"),
        pytest.param(
            [BAD, replace(BAD, text="bang")], Cell(Value.FAIL, "0/2", "0/2 runs passed: bang", 3.0), id="failed twice"
        ),
        pytest.param([GOOD, GOOD], Cell(Value.PASS, "2/2", "2/2 runs passed", 1.0), id="passed twice"),
        pytest.param([Case("t", Status.SKIPPED)], None, id="skipped"),
        pytest.param([Case("t", Status.SKIPPED, text="skipped")], None, id="skipped, it says"),
        pytest.param([Case("t", Status.SKIPPED, text="no dns")], Cell(Value.PASS_WITH_SKIPS, "S", "no dns"), id="why"),
    ],
)
def test_attempts_become_one_cell(cases: list[Case], expected: Cell | None) -> None:
    assert make_column(replace(BUILD, cases=tuple(cases)), NOW_S).cells.get("t") == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, Cell(Value.PASS, seconds=60.0), id="passed"),
        pytest.param(
            {"passed": False}, Cell(Value.FAIL, "F", "Build failed outside of test results", 60.0), id="no failed test"
        ),
        pytest.param({"passed": False, "cases": (BAD,)}, Cell(Value.FAIL, seconds=60.0), id="failed test"),
        pytest.param(
            {"passed": None}, Cell(Value.PASS, "E", 'finished.json missing "passed": true', 60.0), id="result only"
        ),
        pytest.param(
            {"is_finished": False, "finished_s": None}, Cell(Value.RUNNING, "R", "Build still running..."), id="running"
        ),
        pytest.param(
            {"is_finished": False, "finished_s": None, "started_s": NOW_S - 90_000},
            Cell(Value.FAIL, "T", "Build did not complete within 24 hours"),
            id="never finished",
        ),
        pytest.param(
            {"findings": (Finding("report.malformed", "j/7/artifacts/junit_01.xml", "line 9: no"),)},
            Cell(Value.FAIL, "E", "Malformed artifacts: artifacts/junit_01.xml: line 9: no"),
            id="malformed",
        ),
    ],
)
def test_a_build_as_a_whole_has_a_row(changes: dict[str, object], expected: Cell) -> None:
    build = replace(BUILD, **changes)  # type: ignore[arg-type]  # facts of Build

    assert make_column(build, NOW_S).cells["j.Overall"] == expected


def test_rows_are_as_long_as_the_columns_and_sorted_by_numbers_in_their_names() -> None:
    names = ("t10", "t9", "T", "t", "t09")
    newest = replace(BUILD, cases=tuple(Case(name, Status.PASSED) for name in names))
    rows = make_rows((newest, BUILD), NOW_S)

    assert list(rows.cells) == ["T", "j.Overall", "t", "t9", "t09", "t10"]
    assert rows.cells["t"] == (Cell(Value.PASS), None)


def test_suites_stand_before_a_name() -> None:
    inner = Case("t", Status.PASSED, suite="outer / inner")

    column = make_column(replace(BUILD, cases=(inner,)), NOW_S)
    assert (column.row_of, list(column.cells)) == ({"t": "outer.inner.t"}, ["outer.inner.t", "j.Overall"])


@given(st.text())
def test_a_message_is_short_and_whole_characters(text: str) -> None:
    message = cut(text)

    assert len(message.encode()) <= 143
    assert message == text or len(text.encode("utf-8", "replace")) > 140 or not text.isascii()
