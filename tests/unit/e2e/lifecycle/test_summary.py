"""How a run ends for its reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.state import Failure, RunState, Tally
from e2e.lifecycle.summary import closing_lines, rerun_command, tally_text
from e2e.plugin.titles import evidence_name
from tests.unit.e2e.lifecycle.test_state import make_state
from upload.errors import Outcome

TITLE = "[sig-apps] Job should end"


def test_green_run_ends_in_one_line() -> None:
    assert closing_lines(make_state(), (), Tally(2, 1, 0, 1)) == ("SUCCESS: 1 passed, 1 skipped",)


def test_red_run_names_failures_cases_evidence_and_the_command(tmp_path: Path) -> None:
    (tmp_path / "failures" / evidence_name(TITLE)).mkdir(parents=True)
    state = make_state(artifacts=str(tmp_path))
    failures = (
        Failure("Test", Outcome.TESTS_FAILED, "2 of 3 cases failed"),
        Failure("Down", Outcome.PROVIDER, "left over after down: disk a", "e2e down"),
    )

    lines = closing_lines(state, failures, Tally(4, 1, 2, 0, (TITLE, "plain")))

    assert lines == (
        "FAILURE: 1 passed, 2 failed, 1 not run",
        "  Test: 2 of 3 cases failed",
        "  Down: left over after down: disk a",
        "      try: e2e down",
        f"  failed: {TITLE}",
        f"          failures/{evidence_name(TITLE)}/",
        "  failed: plain",
        f"artifacts: {tmp_path}",
        r"again: e2e run x --focus '^(\[sig-apps\] Job should end|plain)$'",
    )


def test_long_lists_of_failed_cases_are_cut(tmp_path: Path) -> None:
    names = tuple(f"case {number}" for number in range(30))
    failed = Failure("Test", Outcome.TESTS_FAILED, "x")

    lines = closing_lines(make_state(artifacts=str(tmp_path)), (failed,), Tally(30, 0, 30, 0, names))

    assert (sum("failed: case" in line for line in lines), lines[-3:]) == (
        20,
        ("  and 10 more", f"artifacts: {tmp_path}", "again: e2e run x"),
    )


def test_kept_cluster_is_tested_again_and_named() -> None:
    state = make_state(kept=True)
    failed = Failure("Test", Outcome.TESTS_FAILED, "x")

    assert closing_lines(state, (failed,), Tally())[-2:] == (
        "again: e2e test ci-x-20260101000000",
        "kept: the cluster is up; e2e kubeconfig ci-x-20260101000000, e2e down ci-x-20260101000000",
    )


def test_command_is_safe_for_a_shell() -> None:
    state: RunState = make_state(ref="my job.yaml; rm -rf /")

    assert rerun_command(state, Tally(), is_kept=False) == "e2e run 'my job.yaml; rm -rf /'"


@pytest.mark.parametrize(
    ("outcome", "word"), [(Outcome.ABORTED, "ABORTED"), (Outcome.RESULTS, "FAILURE"), (Outcome.DEADLINE, "FAILURE")]
)
def test_first_word_is_the_published_result(outcome: Outcome, word: str) -> None:
    assert closing_lines(make_state(), (Failure("Up", outcome, "x"),), Tally())[0] == word


def test_counts_of_nothing_are_left_out() -> None:
    assert (tally_text(Tally(1, 1)), tally_text(Tally())) == ("1 passed", "0 passed")
