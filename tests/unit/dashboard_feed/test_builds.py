from __future__ import annotations

import pytest

from dashboard_feed.builds import Build, Mark, Result, number_s, results, verdict
from upload.model import Case, Status

NOW_S = 1_800_000_000
HOUR_S = 3600


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        pytest.param(Build("j", "1", is_finished=True, passed=True, result="SUCCESS"), Mark.PASSED, id="passed"),
        pytest.param(Build("j", "1", is_finished=True, passed=False, result="FAILURE"), Mark.FAILED, id="failed"),
        pytest.param(Build("j", "1", is_finished=True, passed=False, result="ABORTED"), Mark.ABORTED, id="aborted"),
        pytest.param(Build("j", "1", is_finished=True, result="SUCCESS"), Mark.PASSED, id="result alone"),
        pytest.param(Build("j", "1", is_finished=True, passed=False, result="SUCCESS"), Mark.FAILED, id="passed wins"),
        pytest.param(Build("j", "1", is_finished=True), Mark.FAILED, id="neither"),
        pytest.param(Build("j", "1", started_s=NOW_S - HOUR_S), Mark.RUNNING, id="an hour old"),
        pytest.param(Build("j", "1", started_s=NOW_S - 24 * HOUR_S), Mark.UNFINISHED, id="a day old"),
        pytest.param(Build("j", "1"), Mark.UNFINISHED, id="no time at all"),
        pytest.param(Build("j", "20270115070000"), Mark.RUNNING, id="the id tells the time"),
    ],
)
def test_verdict(build: Build, expected: Mark) -> None:
    assert verdict(build, NOW_S) is expected


def test_attempts_of_one_name_are_one_result() -> None:
    cases = (
        Case("flaky", Status.FAILED, 1.0, text="first"),
        Case("good", Status.PASSED, 2.0),
        Case("flaky", Status.PASSED, 3.0),
        Case("bad", Status.FAILED, 4.0, text="one"),
        Case("bad", Status.FAILED, 5.0, text="two"),
        Case("skip", Status.SKIPPED, text="hollow nodes"),
    )

    assert results(cases) == (
        Result("flaky", Mark.FLAKY, 4.0, "first", passes=1, runs=2),
        Result("good", Mark.PASSED, 2.0, "", passes=1, runs=1),
        Result("bad", Mark.FAILED, 9.0, "one", passes=0, runs=2),
        Result("skip", Mark.SKIPPED, 0.0, "hollow nodes"),
    )


@pytest.mark.parametrize(
    ("number", "expected"),
    [("20261122170319", 1795366999), ("20261399000000", None), ("7", None), ("2026112217031x", None)],
)
def test_the_time_in_a_build_id(number: str, expected: int | None) -> None:
    assert number_s(number) == expected


def test_a_build_that_ends_before_it_starts_has_no_length() -> None:
    assert [Build("j", "1", started_s=5, finished_s=end).seconds for end in (None, 4, 9)] == [None, None, 4]
