from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from dashboard_feed.builds import Build
from dashboard_feed.testgrid.alerts import AlertRule
from dashboard_feed.testgrid.cells import make_rows
from dashboard_feed.testgrid.state import render_grid
from dashboard_feed.testgrid.summary import RECENT, Tab, TabStatus, render_summary, summary_name
from dashboard_feed.testgrid.wire import _classes, encode
from upload.model import Case, Status

NOW_S = 1_800_000_000
HOUR_S = 3600
RULE = AlertRule()


def build(number: int, letter: str) -> Build:
    bad, good = Case("t", Status.FAILED, 30.0, text="boom"), Case("t", Status.PASSED, 60.0)
    cases = {"P": (good,), "F": (bad,), "~": (bad, good), "R": ()}[letter]
    at_s = NOW_S - (100 - number) * HOUR_S
    if letter == "R":
        return Build("j", str(number), started_s=at_s)
    return Build("j", str(number), at_s, at_s + 60, True, letter != "F", "x", commit=f"c{number}", cases=cases)


def builds(letters: str) -> tuple[Build, ...]:
    return tuple(build(99 - index, letter) for index, letter in enumerate(letters))


def tab(letters: str, *, stale_after_s: int = 48 * HOUR_S) -> Tab:
    return Tab("tab", make_rows(builds(letters), NOW_S), RULE, stale_after_s)


def test_a_grid_has_rows_in_runs_with_what_its_filled_cells_say() -> None:
    grid = _classes()["Grid"]()
    grid.ParseFromString(zlib.decompress(render_grid(make_rows(builds("RFFP"), NOW_S), RULE)))
    whole, test = grid.rows

    assert [(c.build, c.started, list(c.extra), c.hint) for c in grid.columns][:2] == [
        ("99", (NOW_S - HOUR_S) * 1000.0, [""], "99"),
        ("98", (NOW_S - 2 * HOUR_S) * 1000.0, ["c98"], "98"),
    ]
    assert (whole.name, list(whole.results)) == ("j.Overall", [4, 1, 12, 2, 1, 1])
    assert (test.name, test.id, list(test.results)) == ("t", "t", [0, 1, 12, 2, 1, 1])
    assert (list(test.messages), list(test.icons)) == (["boom", "boom", ""], ["F", "F", ""])
    assert (list(test.metrics[0].indices), list(test.metrics[0].values)) == ([1, 3], [0.5, 0.5, 1.0])
    alert = test.alert_info
    assert (alert.fail_count, alert.fail_build_id, alert.pass_build_id) == (2, "c97", "c96")
    assert (alert.fail_time.seconds, alert.failure_message) == (NOW_S - 3 * HOUR_S, "boom")


def test_the_same_rows_give_the_same_bytes() -> None:
    assert render_grid(tab("FPP").rows, RULE) == render_grid(tab("FPP").rows, RULE)


def test_what_no_message_can_carry_is_replaced() -> None:
    cases = (Case("t\ud800é", Status.FAILED, text="\udcff"),)
    odd = replace(build(99, "F"), number="9\ud800", commit="c\ud800", cases=cases)
    rows = make_rows((odd,), NOW_S)
    grid = _classes()["Grid"]()
    grid.ParseFromString(zlib.decompress(render_grid(rows, RULE)))

    assert [row.name for row in grid.rows] == ["j.Overall", "t?é"]
    assert b"t?\xc3\xa9" in render_summary("d", [Tab("\ud800", rows, RULE, HOUR_S)], NOW_S)


@pytest.mark.parametrize(
    ("letters", "stale_after_s", "status", "words", "green"),
    [
        pytest.param(
            "PP", 48, TabStatus.PASS, "2 of 2 (100.0%) recent columns passed (4 of 4 or 100.0% cells)", "c99", id="pass"
        ),
        pytest.param(
            "FP", 48, TabStatus.FAIL, "1 of 2 (50.0%) recent columns passed (2 of 4 or 50.0% cells)", "c98", id="fail"
        ),
        pytest.param(
            "P~P",
            48,
            TabStatus.FLAKY,
            "3 of 3 (100.0%) recent columns passed (5 of 6 or 83.3% cells)",
            "c99",
            id="flaky",
        ),
        pytest.param(
            "PP",
            0,
            TabStatus.STALE,
            "2 of 2 (100.0%) recent columns passed (4 of 4 or 100.0% cells)",
            "c99",
            id="stale",
        ),
        pytest.param("R", 48, TabStatus.UNKNOWN, "no completed results", "no recent greens", id="running"),
        pytest.param(
            "RP",
            48,
            TabStatus.PASS,
            "1 of 1 (100.0%) recent columns passed (2 of 2 or 100.0% cells)",
            "c98",
            id="after",
        ),
        pytest.param("", 48, TabStatus.STALE, "no completed results", "no recent greens", id="nothing"),
        pytest.param(
            "P" * RECENT + "~",
            48,
            TabStatus.PASS,
            "5 of 5 (100.0%) recent columns passed (10 of 10 or 100.0% cells)",
            "c99",
            id="long ago",
        ),
    ],
)
def test_a_tab_has_the_first_state_that_holds(
    letters: str, stale_after_s: int, status: TabStatus, words: str, green: str
) -> None:
    summary = _classes()["DashboardSummary"]()
    summary.ParseFromString(render_summary("provider-p", [tab(letters, stale_after_s=stale_after_s * HOUR_S)], NOW_S))
    (found,) = summary.tab_summaries

    assert (found.dashboard_name, found.dashboard_tab_name) == ("provider-p", "tab")
    assert (found.overall_status, found.status, found.latest_green) == (status, words, green)
    assert bool(found.alert) is (status is TabStatus.STALE)


def test_a_summary_changes_with_builds_alone_until_it_is_stale() -> None:
    first, later, stale = (render_summary("d", [tab("FP")], NOW_S + age * HOUR_S) for age in (0, 40, 50))

    assert first == later != stale


def test_a_summary_is_named_by_letters_and_digits() -> None:
    assert summary_name("provider-Ex_ample é1") == "summary-providerexample1"


def test_a_field_that_no_message_has_is_refused() -> None:
    with pytest.raises(ValueError, match="Protocol message Grid has no"):
        encode("Grid", {"config": {}})
