from __future__ import annotations

import pytest

from dashboard_feed.testgrid.alerts import AlertRule, RowAlert, alert_of
from dashboard_feed.testgrid.cells import Cell, Value

CELLS = {
    "P": Cell(Value.PASS),
    "S": Cell(Value.PASS_WITH_SKIPS),
    "F": Cell(Value.FAIL),
    "~": Cell(Value.FLAKY),
    "R": Cell(Value.RUNNING),
    " ": None,
}


@pytest.mark.parametrize(
    ("letters", "failures", "passes", "expected"),
    [
        ("", 1, 1, None),
        ("PPPP", 1, 1, None),
        ("FPPP", 1, 1, RowAlert(1, 0, 0, 1)),
        ("FSPP", 1, 1, RowAlert(1, 0, 0, 1)),
        ("PFPP", 1, 1, None),
        ("PFPP", 1, 2, RowAlert(1, 1, 1, 2)),
        ("FPPP", 2, 1, None),
        ("FFPP", 2, 1, RowAlert(2, 1, 0, 2)),
        ("F FP", 2, 1, RowAlert(2, 2, 0, 3)),
        ("RF P", 1, 1, RowAlert(1, 1, 1, 3)),
        ("FFFF", 1, 1, RowAlert(4, 3, 0, None)),
        ("F~FP", 1, 1, RowAlert(1, 0, 0, None)),
        ("F~FF", 2, 1, RowAlert(3, 3, 0, None)),
        ("~FFP", 2, 1, RowAlert(2, 2, 1, 3)),
        ("FPFPP", 1, 2, RowAlert(2, 2, 0, 3)),
        ("FPFPP", 2, 2, None),
    ],
)
def test_enough_failures_before_enough_passes(
    letters: str, failures: int, passes: int, expected: RowAlert | None
) -> None:
    assert alert_of([CELLS[letter] for letter in letters], AlertRule(failures, passes)) == expected
