"""What a build came to: a pure fold of steps, tests and findings. Source: the table of DESIGN section 6."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upload.errors import Outcome
from upload.model import Finding, Severity, StepRecord, SuiteEnding, Verdict

SUITE_STEP = "Test"
STEPS_AFTER_SUITE = ("Dump", "Down", "Publish")


def judge(
    tests: SuiteEnding,
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
    troubles = tuple(_in_order(tests, steps, ended, findings))
    outcomes = (outcome for outcome, _ in troubles if outcome is not None)
    return Verdict(
        next(outcomes, Outcome.PASSED),
        notes=tuple(text for _, text in troubles),
        metadata=(("flaky-cases", _listed(tests.flaky_names, tests.flaky)),) if tests.flaky else (),
    )


_Trouble = tuple[Outcome | None, str]
"""What went wrong and, unless it is only a note, what that makes of the build."""


def _in_order(
    tests: SuiteEnding, steps: Sequence[StepRecord], ended: Outcome | None, findings: Sequence[Finding]
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
    suite = [*_of_tests(tests), *_of_findings(findings)]
    if not (tests.cases or suite or early or stopped):
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


def _of_tests(tests: SuiteEnding) -> Iterator[_Trouble]:
    if tests.failed:
        what = "1 case" if tests.failed == 1 else f"{tests.failed} cases"
        yield Outcome.TESTS_FAILED, f"{what} failed: {_listed(tests.failed_names, tests.failed)}"


def _of_findings(findings: Sequence[Finding]) -> Iterator[_Trouble]:
    for finding in findings:
        if finding.severity is Severity.ERROR:
            yield Outcome.TESTS_FAILED, f"{finding.object}: {finding.what}"


def _listed(names: Sequence[str], count: int) -> str:
    """Return the first of ``count`` names in one string: metadata holds flat strings only."""
    more = f"; and {count - len(names)} more" if count > len(names) else ""
    return "; ".join(names) + more
