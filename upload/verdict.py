"""What a build came to: a pure fold of steps, cases and findings. Source: the table of DESIGN section 6."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum

from upload.errors import Outcome
from upload.model import Case, Finding, Severity, Status, StepRecord, Verdict

SUITE_STEP = "Test"
STEPS_AFTER_SUITE = ("Dump", "Down", "Publish")
SHOWN_NAMES = 20

# Ginkgo gives all nodes of one kind the same name; a second [ReportAfterSuite] is no second attempt of the first
_NODE = re.compile(r"\[\w*(?:Before|After)Suite\b[^]]*\]|\[DeferCleanup \(Suite\)\]")


class Ended(Enum):
    """How a test ended over all its attempts."""

    PASSED = "passed"
    FLAKY = "flaky"
    FAILED = "failed"


def judge(
    cases: Sequence[Case],
    steps: Sequence[StepRecord] = (),
    *,
    ended: Outcome | None = None,
    findings: Sequence[Finding] = (),
) -> Verdict:
    """Return the verdict of a build: the first failure in time sets the outcome, later ones become notes.

    ``steps`` are in the order they ran. Within the step ``Test`` what stopped it comes first, then the failed cases,
    then ``findings`` of severity ERROR: reports that could not be read to their end count as failed.
    ``ended`` is what ended the run outside of every step, or within a suite that left no record of its step.
    Without any case and any failure nothing was selected: USAGE. A signal after the suite ended is only a note.
    ``metadata`` has ``flaky-cases`` when there are any.
    """
    troubles = tuple(_in_order(cases, steps, ended, findings))
    outcomes = (outcome for outcome, _ in troubles if outcome is not None)
    flaky = flaky_names(cases)
    return Verdict(
        next(outcomes, Outcome.PASSED),
        notes=tuple(text for _, text in troubles),
        metadata=(("flaky-cases", _listed(flaky)),) if flaky else (),
    )


def failed_names(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the names of the tests that failed in the end, in the order of their first attempts."""
    return tuple(dict.fromkeys(name for name, ended in _endings(cases) if ended is Ended.FAILED))


def flaky_names(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the names of the tests that failed and then passed, in the order of their first attempts."""
    failed = set(failed_names(cases))
    flaky = (name for name, ended in _endings(cases) if ended is Ended.FLAKY and name not in failed)
    return tuple(dict.fromkeys(flaky))


def _endings(cases: Sequence[Case]) -> Iterator[tuple[str, Ended]]:
    """Yield each test's name and how its attempts ended.

    Attempts are cases of one name in one file. The same name in two files is two tests, since one file is what one
    program wrote: a pass in one must not hide a failure in the other.
    """
    tests: dict[tuple[str, str, str, int], list[Status]] = {}
    for number, case in enumerate(cases):
        alone = number if _NODE.match(case.name) else -1
        tests.setdefault((case.source, case.classname, case.name, alone), []).append(case.status)
    for (_, _, name, _), statuses in tests.items():
        ran = [status for status in statuses if status is not Status.SKIPPED]
        if ran and ran[-1] is Status.FAILED:
            yield name, Ended.FAILED
        elif Status.FAILED in ran:
            yield name, Ended.FLAKY
        else:
            yield name, Ended.PASSED


_Trouble = tuple[Outcome | None, str]
"""What went wrong and, unless it is only a note, what that makes of the build."""


def _in_order(
    cases: Sequence[Case], steps: Sequence[StepRecord], ended: Outcome | None, findings: Sequence[Finding]
) -> Iterator[_Trouble]:
    """Yield every trouble in the order in which it happened."""
    before, test, after = _around_suite(steps)
    early = [_of_step(step) for step in before if step.failure]
    yield from early
    stopped = _of_step(test) if test is not None and test.failure else None
    if test is None and ended not in (None, Outcome.PASSED):
        stopped = (ended, f"the run ended early: {ended.value.meaning}") if ended is not None else None
    if stopped is not None:
        yield stopped
    suite = [*_of_cases(cases), *_of_findings(findings)]
    if not (cases or suite or early or stopped):
        suite = [(Outcome.USAGE, "no case: nothing was selected, or no JUnit file was written")]
    yield from suite
    was_cut = stopped is not None and stopped[0] is Outcome.ABORTED
    suite_ended = test is not None and not was_cut
    for step in after:
        if step.failure:
            outcome, text = _of_step(step)
            yield (None if outcome is Outcome.ABORTED and suite_ended else outcome), text
    if test is not None and ended not in (None, Outcome.PASSED) and ended is not None:
        yield (None if ended is Outcome.ABORTED and suite_ended else ended), f"afterwards: {ended.value.meaning}"


def _around_suite(
    steps: Sequence[StepRecord],
) -> tuple[Sequence[StepRecord], StepRecord | None, Sequence[StepRecord]]:
    for index, step in enumerate(steps):
        if step.name == SUITE_STEP:
            return steps[:index], step, steps[index + 1 :]
    for index, step in enumerate(steps):
        if step.name in STEPS_AFTER_SUITE:
            return steps[:index], None, steps[index:]
    return steps, None, ()


def _of_step(step: StepRecord) -> tuple[Outcome, str]:
    usual = Outcome.TESTS_FAILED if step.name == SUITE_STEP else Outcome.PROVIDER
    outcome = step.outcome if step.outcome not in (None, Outcome.PASSED) else None
    first = next(iter(step.failure.strip().splitlines()), "failed")
    return outcome or usual, f"{step.name}: {first}"


def _of_cases(cases: Sequence[Case]) -> Iterator[_Trouble]:
    if failed := failed_names(cases):
        what = "1 case" if len(failed) == 1 else f"{len(failed)} cases"
        yield Outcome.TESTS_FAILED, f"{what} failed: {_listed(failed)}"


def _of_findings(findings: Sequence[Finding]) -> Iterator[_Trouble]:
    for finding in findings:
        if finding.severity is Severity.ERROR:
            yield Outcome.TESTS_FAILED, f"{finding.object}: {finding.what}"


def _listed(names: Sequence[str]) -> str:
    """Return the first names in one string: metadata holds flat strings only."""
    more = f"; and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return "; ".join(names[:SHOWN_NAMES]) + more
