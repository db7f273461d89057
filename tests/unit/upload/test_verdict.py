from __future__ import annotations

from collections.abc import Sequence

import pytest

from upload.errors import Outcome
from upload.model import Finding, Severity, StepRecord, SuiteEnding, Verdict
from upload.verdict import judge

GREEN = SuiteEnding(cases=1)
RED = SuiteEnding(cases=2, failed=1, failed_names=("[b]",))
NONE = SuiteEnding()
CUT = Finding("report.truncated", "junit.xml", "the file is cut")


def step(name: str, failure: str = "", outcome: Outcome | None = None) -> StepRecord:
    return StepRecord(name, 0, 1, failure, outcome=outcome)


UP, TEST, DUMP, DOWN = (step(name) for name in ("Up", "Test", "Dump", "Down"))
ALL = (UP, TEST, DUMP, DOWN)


@pytest.mark.parametrize(
    ("tests", "steps", "ended", "outcome"),
    [
        (GREEN, ALL, None, Outcome.PASSED),
        (RED, ALL, None, Outcome.TESTS_FAILED),
        (GREEN, (), None, Outcome.PASSED),
        (RED, (), None, Outcome.TESTS_FAILED),
        (NONE, ALL, None, Outcome.USAGE),
        (NONE, (), None, Outcome.USAGE),
        (NONE, (step("Up", "quota"), DUMP, DOWN), None, Outcome.PROVIDER),
        (NONE, (step("Up", "late", Outcome.DEADLINE), DUMP, DOWN), None, Outcome.DEADLINE),
        (NONE, (step("Up", "oops", Outcome.BUG), DUMP, DOWN), None, Outcome.BUG),
        (NONE, (step("Up", "signal", Outcome.ABORTED), DUMP, DOWN), None, Outcome.ABORTED),
        (GREEN, (UP, step("Test", "exit 2"), DOWN), None, Outcome.TESTS_FAILED),
        (NONE, (UP, step("Test", "nothing selected", Outcome.USAGE), DOWN), None, Outcome.USAGE),
        (RED, (UP, step("Test", "cut", Outcome.DEADLINE), DOWN), None, Outcome.DEADLINE),
        (RED, (UP, step("Test", "signal", Outcome.ABORTED), DOWN), None, Outcome.ABORTED),
        (RED, (UP, TEST, DUMP, step("Down", "leak")), None, Outcome.TESTS_FAILED),
        (GREEN, (UP, TEST, DUMP, step("Down", "leak")), None, Outcome.PROVIDER),
        (GREEN, (UP, TEST, step("Dump", "no"), step("Down", "leak")), None, Outcome.PROVIDER),
        (GREEN, (UP, TEST, step("Dump", "signal", Outcome.ABORTED), DOWN), None, Outcome.PASSED),
        (GREEN, (UP, TEST, step("Dump", "signal", Outcome.ABORTED), step("Down", "leak")), None, Outcome.PROVIDER),
        (RED, (UP,), Outcome.ABORTED, Outcome.ABORTED),
        (RED, (UP, DUMP, DOWN), Outcome.ABORTED, Outcome.ABORTED),
        (NONE, (UP, step("Dump", "no")), Outcome.ABORTED, Outcome.ABORTED),
        (GREEN, ALL, Outcome.ABORTED, Outcome.PASSED),
        (GREEN, ALL, Outcome.BUG, Outcome.BUG),
        (RED, ALL, Outcome.BUG, Outcome.TESTS_FAILED),
        (GREEN, ALL, Outcome.PASSED, Outcome.PASSED),
    ],
)
def test_first_failure_in_time_sets_the_outcome(
    tests: SuiteEnding, steps: Sequence[StepRecord], ended: Outcome | None, outcome: Outcome
) -> None:
    assert judge(tests, steps, ended=ended).outcome is outcome


def test_later_failures_are_notes_in_order() -> None:
    verdict = judge(RED, (UP, TEST, step("Dump", "no disk\nmore"), step("Down", "leak: vm-1")), findings=(CUT,))

    assert verdict == Verdict(
        Outcome.TESTS_FAILED,
        notes=("1 case failed: [b]", "junit.xml: the file is cut", "Dump: no disk", "Down: leak: vm-1"),
    )


def test_report_that_is_cut_is_not_a_pass() -> None:
    assert judge(GREEN, ALL, findings=(CUT,)).outcome is Outcome.TESTS_FAILED


def test_warning_changes_no_verdict() -> None:
    warning = Finding("report.time", "junit.xml", "no duration", severity=Severity.WARNING)

    assert judge(GREEN, ALL, findings=(warning,)) == Verdict(Outcome.PASSED)


def test_flaky_cases_pass_and_stand_in_the_metadata() -> None:
    verdict = judge(SuiteEnding(cases=44, flaky=22, flaky_names=tuple(f"[{n}]" for n in range(20))), ALL)

    names = "; ".join(f"[{n}]" for n in range(20))
    assert verdict == Verdict(Outcome.PASSED, metadata=(("flaky-cases", f"{names}; and 2 more"),))
