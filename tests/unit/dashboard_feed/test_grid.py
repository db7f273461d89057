from __future__ import annotations

import pytest

from dashboard_feed.builds import Build, Mark
from dashboard_feed.grid import Grid, make_grid
from upload.model import Case, Status

STATUS = {"P": Status.PASSED, "F": Status.FAILED, "S": Status.SKIPPED}
NOW_S = 1_800_000_000


def grid(**rows: str) -> Grid:
    """Make a grid of rows such as ``FF.P``, newest first; ``~`` is a failure that passed on retry."""
    width = max(map(len, rows.values()))
    builds = []
    for index in range(width):
        cases: list[Case] = []
        for name, marks in rows.items():
            mark = marks[index] if index < len(marks) else "."
            attempts = {"~": "FP", ".": ""}.get(mark, mark)
            cases += [Case(name, STATUS[a], 1.0, text="reason" if a != "P" else "") for a in attempts]
        builds.append(Build("j", str(width - index), is_finished=True, passed=True, cases=tuple(cases)))
    return make_grid(builds, NOW_S)


@pytest.mark.parametrize(
    ("marks", "failing_for", "since", "last_good", "is_flaky"),
    [
        pytest.param("PPPP", 0, None, None, False, id="always good"),
        pytest.param("FPPP", 1, 0, 1, False, id="broke just now"),
        pytest.param("FFPF", 2, 1, 2, False, id="broke again"),
        pytest.param("F.SF.P", 2, 3, 5, False, id="gaps and skips say nothing"),
        pytest.param(".FP", 1, 1, 2, False, id="not in the newest build"),
        pytest.param("FFFF", 4, 3, None, False, id="never passed"),
        pytest.param("PFPP", 0, None, None, True, id="failed once"),
        pytest.param("P~PP", 0, None, None, True, id="passed on retry"),
        pytest.param("F~PP", 1, 0, 1, False, id="a retry is a pass"),
        pytest.param("SSSS", 0, None, None, False, id="only skipped"),
    ],
)
def test_since_when_a_test_fails(
    marks: str, failing_for: int, since: int | None, last_good: int | None, is_flaky: bool
) -> None:
    row = grid(test=marks).rows[0]

    assert (row.failing_for, row.since, row.last_good, row.is_flaky) == (failing_for, since, last_good, is_flaky)


def test_what_is_broken_comes_first() -> None:
    found = grid(b_good="PPP", a_good="PPP", flaky="P~P", flakier="PFF", new="FPP", old="FFF", older_name="FFF")

    assert [row.name for row in found.rows] == ["old", "older_name", "new", "flakier", "flaky", "a_good", "b_good"]
    assert ([row.name for row in found.failing], [row.name for row in found.flaky]) == (
        ["old", "older_name", "new"],
        ["flakier", "flaky"],
    )


def test_a_skip_without_a_reason_makes_no_row() -> None:
    build = Build("j", "1", cases=(Case("silent", Status.SKIPPED), Case("told", Status.SKIPPED, text="hollow nodes")))

    assert [(row.name, row.runs) for row in make_grid([build], NOW_S).rows] == [("told", 0)]


def test_the_step_test_is_no_failure_of_its_own() -> None:
    failed = Build(
        "j",
        "1",
        cases=(Case("t", Status.FAILED),),
        steps=(Case("Up", Status.PASSED), Case("e2e.Test", Status.FAILED)),
    )
    cut = Build("j", "1", steps=(Case("Test", Status.FAILED, text="deadline"),))

    assert [row.name for row in make_grid([failed], NOW_S).failing] == ["t"]
    assert [row.name for row in make_grid([cut], NOW_S).failing] == ["Test"]


def test_failing_steps_stand_above_the_tests_but_the_one_that_repeats_them_below() -> None:
    steps = (Case("Up", Status.FAILED), Case("Test", Status.FAILED))
    build = Build("j", "1", cases=(Case("a", Status.FAILED), Case("b", Status.PASSED)), steps=steps)

    assert [(row.name, row.is_step) for row in make_grid([build], NOW_S).rows] == [
        ("Up", True),
        ("a", False),
        ("Test", True),
        ("b", False),
    ]


def test_a_step_and_a_test_of_one_name_stay_two_rows() -> None:
    build = Build("j", "1", cases=(Case("Up", Status.PASSED),), steps=(Case("Up", Status.PASSED),))

    assert [row.is_step for row in make_grid([build], NOW_S).rows] == [False, True]


def test_a_step_is_counted_as_no_test_and_is_never_flaky() -> None:
    failed = Build("j", "1", steps=(Case("e2e.Up", Status.FAILED),))
    passed = Build("j", "2", cases=(Case("t", Status.PASSED),), steps=(Case("e2e.Up", Status.PASSED),))
    found = make_grid([passed, failed], NOW_S)

    assert [row.name for row in found.tests] == ["t"]
    assert (found.flaky, [row.failures for row in found.rows if row.is_step]) == ((), [1])


def test_of_a_step_and_its_part_the_part_counts() -> None:
    names = ("e2e.Up: Make machines", "e2e.Up: Reach machines", "e2e.Up")
    build = Build("j", "1", steps=tuple(Case(n, Status.FAILED if "Make" not in n else Status.PASSED) for n in names))

    assert [row.name for row in make_grid([build], NOW_S).failing] == ["e2e.Up: Reach machines"]


def test_rows_beyond_the_limit_are_counted() -> None:
    build = Build("j", "1", cases=tuple(Case(f"t{n}", Status.PASSED) for n in range(5)))
    found = make_grid([build], NOW_S, most_rows=2)

    assert ([row.name for row in found.rows], found.hidden_rows) == (["t0", "t1"], 3)


def test_columns_carry_their_verdict() -> None:
    builds = [Build("j", "2", started_s=NOW_S - 5), Build("j", "1", is_finished=True, passed=False)]

    assert [column.mark for column in make_grid(builds, NOW_S).columns] == [Mark.RUNNING, Mark.FAILED]
