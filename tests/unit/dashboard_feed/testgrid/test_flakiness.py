from __future__ import annotations

import pytest

from dashboard_feed.builds import DAY_S, Build
from dashboard_feed.testgrid.cells import Value, make_rows
from dashboard_feed.testgrid.flakiness import Flakiness, flip_flakiness, meter
from upload.model import Case, Status

NOW_S = 1_800_000_000
VALUES = {"P": Value.PASS, "F": Value.FAIL, "~": Value.FLAKY}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # pkg/summarizer/analyzers/flipanalyzer.go read as a table: newest first
        ("", 0.0),
        ("PPPP", 0.0),
        ("F", 100.0),
        ("FF", 50.0),
        ("FFF", 0.0),
        ("FFFFF", 0.0),
        ("FFFP", 0.0),
        ("FFP", 100 / 3),
        ("PFPF", 50.0),
        ("~P", 50.0),
        ("PFFFPFP", 25.0),
        ("FFF~", 100.0),
    ],
)
def test_flips_are_counted_and_runs_of_three_failures_are_not(values: str, expected: float) -> None:
    assert flip_flakiness([VALUES[v] for v in values]) == pytest.approx(expected, rel=1e-6)


def case(letter: str, name: str = "t", text: str = "no good") -> tuple[Case, ...]:
    bad, good = Case(name, Status.FAILED, text=text), Case(name, Status.PASSED)
    return {"P": (good,), "F": (bad,), "~": (bad, good), "S": (), "I": (Case(name, Status.FAILED, text="Timeout"),)}[
        letter
    ]


def builds(letters: str, commits: str = "", *, every_s: int = 3600) -> tuple[Build, ...]:
    return tuple(
        Build("j", str(99 - i), NOW_S - i * every_s, NOW_S, True, True, commit=commits[i : i + 1], cases=case(letter))
        for i, letter in enumerate(letters)
    )


def told(many: tuple[Build, ...]) -> Flakiness | None:
    return meter(make_rows(many, NOW_S)).of("t", end_s=NOW_S)


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        pytest.param("PFPP", Flakiness(25.0, 1, 4, 0), id="one failure"),
        pytest.param("FFFFPFFFFP", Flakiness(0.0, 8, 10, 0), id="runs of failures, which TestGrid ignores"),
        pytest.param("IIPP", Flakiness(0.0, 2, 4, 0), id="infrastructure, which TestGrid ignores"),
        pytest.param("II", Flakiness(None, 2, 2, 0), id="only infrastructure"),
        pytest.param("~~", Flakiness(None, 2, 2, 2), id="only retries: each is proof"),
        pytest.param("PS", Flakiness(0.0, 0, 1, 0), id="left out"),
    ],
)
def test_both_measures_side_by_side(letters: str, expected: Flakiness) -> None:
    assert told(builds(letters)) == expected


def test_good_and_bad_at_one_commit_is_a_contradiction() -> None:
    found = told(builds("PFPFFF", "aabbcc"))

    assert found is not None
    assert found.contradictions == 2


def test_only_seven_days_count() -> None:
    found = told(builds("F" * 10, every_s=DAY_S))

    assert found is not None
    assert found.runs == 8


def test_a_column_in_which_nothing_passed_is_no_flip() -> None:
    outage = Build("j", "98", NOW_S - 60, NOW_S, True, False, cases=(*case("F"), *case("F", "u")))

    found = told((*builds("P"), outage, *builds("P", every_s=0)))
    assert found == Flakiness(0.0, 1, 3, 0)


def test_an_unknown_test_has_none() -> None:
    assert meter(make_rows(builds("P"), NOW_S)).of("x", end_s=NOW_S) is None


@pytest.mark.parametrize(
    ("unsteady", "runs", "percent", "at_least"),
    [(0, 0, 0, 0), (0, 9, 0, 0), (1, 1, 100, 20.7), (1, 2, 50, 9.5), (40, 50, 80, 67.0), (10, 10, 100, 72.2)],
)
def test_what_is_sure_grows_with_the_builds(unsteady: int, runs: int, percent: float, at_least: float) -> None:
    found = Flakiness(None, unsteady, runs, 0)

    assert (found.percent, round(found.at_least, 1)) == (percent, at_least)
