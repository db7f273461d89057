"""The pytest tester: the suite of this package in two passes, first what may run in parallel, then what may not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.lifecycle.child import Command, Exit
from e2e.lifecycle.folder import write_private
from e2e.lifecycle.progress import SuiteFollower
from e2e.lifecycle.state import Tally
from e2e.lifecycle.suite_junit import write_junit
from e2e.lifecycle.testers import BrokenTester, Host, SuitePlan, SuiteResult
from upload.errors import HarnessError, Outcome, UsageError

if TYPE_CHECKING:
    from providers.access import Need

SUITE = Path(__file__).parents[1] / "suite"
PYTEST = (sys.executable, "-P", "-m", "pytest")  # -P: no folder of a caller may shadow our packages

# pytest's own exit codes (pytest.ExitCode); they are translated, never passed on
PASSED, FAILED, INTERRUPTED, INTERNAL, USAGE, NOTHING = range(6)


@dataclass(frozen=True, slots=True)
class Pass:
    """Cases that run together. ``name``: of the JUnit file they come to; ``workers`` 0: no processes beside pytest.

    Each of its attempts is one run of pytest: all cases, then those that failed.
    """

    name: str
    select: str
    workers: int


class PytestTester:
    """Runs ``python -m pytest`` on a suite that uses the plugin ``e2e.plugin``. ``program``: how pytest is started."""

    def __init__(self, suite: Path = SUITE, program: Sequence[str] = PYTEST) -> None:
        self._suite = suite
        self._program = tuple(program)

    def describe(self, plan: SuitePlan) -> tuple[tuple[str, ...], ...]:
        """Return the two command lines."""
        return tuple(self._argv(plan, each) for each in passes(plan))

    def salvage(self, plan: SuitePlan, host: Host) -> Tally:
        """Write the JUnit that killed passes did not write, from their events; return what finished."""
        tally = Tally()
        for each in passes(plan):
            follower = SuiteFollower(_events(plan, each), host.case_ended, base=tally)
            follower.look()
            _collect(plan, each, follower)
            tally = follower.tally()
            if follower.running:
                host.note(f"cut while running: {', '.join(sorted(follower.running))}")
        return tally

    def needs(self, plan: SuitePlan, host: Host) -> tuple[Need, ...]:
        """Have pytest collect, and return what the selected cases declare. A file that does not import is ``test``'s matter."""
        from e2e.plugin.needs import read_needs

        file = plan.work / "needs.json"
        file.unlink(missing_ok=True)
        listing = ("--collect-only", "-qq", "--no-summary", "-n", "0", "--e2e-needs", str(file))
        argv = (*self._start(plan.select), *listing, "--e2e-cluster", str(plan.cluster_file), *_titles(plan))
        ended = host.run(Command(argv, plan.env, self._suite))
        if ended.stopped:
            raise ended.stopped
        check_code(ended)
        try:
            return read_needs(file)
        except (OSError, ValueError) as exc:
            raise BrokenTester(f"pytest did not say what the cases need: {exc}", ended.output_tail) from exc

    def test(self, plan: SuitePlan, host: Host) -> SuiteResult:
        """Run both passes; the second one also when cases of the first one failed, so that all results are there.

        Raises: UsageError when pytest refuses its command line, HarnessError when it breaks.
        """
        tally, codes, leftovers, tail = Tally(), [], [], ""
        broken: tuple[str, ...] = ()  # files that do not import are reported by the first pass only
        stopped: HarnessError | None = None
        for each in passes(plan):
            _forget(plan, each)
            follower = SuiteFollower(_events(plan, each), host.case_ended, base=tally)
            host.on_tick(_look(follower, host))
            ended = self._run_attempts(plan, each, follower, host, broken)
            tally, tail = follower.tally(), ended.output_tail or tail
            broken = (*broken, *follower.problems)
            leftovers = follower.leftovers  # the last look knows what is left of all
            if follower.running:
                host.note(f"cut while running: {', '.join(sorted(follower.running))}")
            if ended.stopped:
                stopped = ended.stopped
                break
            codes.append(ended.code)
        return replace(
            verdict(codes, tally, stopped=stopped), stopped=stopped, output_tail=tail, leftovers=tuple(leftovers)
        )

    def _run_attempts(
        self, plan: SuitePlan, each: Pass, follower: SuiteFollower, host: Host, broken: Sequence[str]
    ) -> Exit:
        """Run the pass, then what failed in it until it passes or has had its attempts; return how the last one ended."""
        argv = self._argv(plan, each, ignored=broken)
        for attempt in range(1, plan.attempts + 1):
            ended = host.run(Command(argv, plan.env, self._suite))
            follower.look()
            _collect(plan, each, follower)
            failed = follower.to_repeat()
            if ended.stopped or (check_code(ended) != FAILED) or not failed or attempt == plan.attempts:
                break
            host.note(f"attempt {attempt + 1} of {plan.attempts} of {len(failed)} failed: {', '.join(failed)}")
            only = plan.work / "again.json"
            write_private(only, json.dumps(failed).encode())
            few = replace(each, workers=min(each.workers, len(failed)))
            argv = self._argv(plan, few, attempt=attempt + 1, ignored=(*broken, *follower.problems), only=only)
        return ended

    def _argv(
        self, plan: SuitePlan, each: Pass, *, attempt: int = 1, ignored: Sequence[str] = (), only: Path | None = None
    ) -> tuple[str, ...]:
        parallel = ("-n", str(each.workers), "--dist", "worksteal") if each.workers else ("-n", "0")
        removal = ("--e2e-remove", "never", "--e2e-gone-within", "0") if plan.cluster_goes else ()
        return (
            *self._start(each.select),
            *(*parallel, "-q"),
            *("--junitxml", str(_attempt_file(plan, each, attempt)), "--basetemp", str(plan.work / "tmp")),
            *("--e2e-cluster", str(plan.cluster_file), "--e2e-run", plan.run),
            *("--e2e-evidence", str(plan.artifacts / "failures"), "--e2e-secrets", str(plan.secrets_file)),
            *("--e2e-attempt", str(attempt)),
            *("--e2e-events", str(_events(plan, each))),
            *removal,
            *((f"--e2e-job={plan.ref}",) if plan.ref else ()),
            *_titles(plan),
            *(("--e2e-only", str(only)) if only else ()),
            *(f"--ignore={self._suite / name}" for name in ignored),
        )

    def _start(self, select: str) -> tuple[str, ...]:
        return (
            *self._program,
            # the root is the folder of the ini file; --rootdir would put variables into a path that has a $
            *("-c", str(self._suite / "pytest.ini"), str(self._suite)),
            *("-m", select, "--no-header", "--color=no", "--continue-on-collection-errors"),
        )


def passes(plan: SuitePlan) -> tuple[Pass, Pass]:
    """Return what is run: the cases that bear company, then those that do not."""
    return (
        Pass("junit_01", f"({plan.select}) and not serial", plan.workers),
        Pass("junit_02", f"({plan.select}) and serial", 0),
    )


def _titles(plan: SuitePlan) -> Iterator[str]:
    # one word: a pattern that begins with a dash must never become an option
    return (f"{flag}={value}" for flag, value in (("--e2e-focus", plan.focus), ("--e2e-skip", plan.skip)) if value)


def _look(follower: SuiteFollower, host: Host) -> Callable[[], None]:
    return lambda: host.suite(follower.look())


def check_code(ended: Exit) -> int:
    """Return pytest's code when it says how cases ended. Raises UsageError or HarnessError when it says anything else."""
    last = next((line for line in reversed(ended.output_tail.splitlines()) if line.strip()), "it said nothing")
    if ended.code in (PASSED, FAILED, NOTHING):
        return ended.code
    if ended.code == USAGE:
        raise UsageError(f"pytest refused to start: {last}")
    if ended.code < 0 or ended.code == 137:
        raise BrokenTester("pytest was killed, and not by us: out of memory?", ended.output_tail)
    raise BrokenTester(f"pytest ended with code {ended.code}: {last}", ended.output_tail)


def verdict(codes: Sequence[int], tally: Tally, *, stopped: HarnessError | None) -> SuiteResult:
    """Return what the passes' codes and the counted cases come to."""
    if tally.failed or FAILED in codes:
        return SuiteResult(Outcome.TESTS_FAILED, f"{tally.failed} of {tally.done} cases failed", tally)
    if stopped is None and all(code == NOTHING for code in codes):
        return SuiteResult(
            Outcome.USAGE, "nothing selected: no case matches preset, --select, --focus and --skip", tally
        )
    return SuiteResult(Outcome.PASSED, "", tally)


def _attempt_file(plan: SuitePlan, each: Pass, attempt: int) -> Path:
    """Return where pytest writes the JUnit of one attempt, counted from 1."""
    return plan.work / f"{each.name}.{attempt}.xml"


def _events(plan: SuitePlan, each: Pass) -> Path:
    return plan.work / f"{each.name}.events.jsonl"


def _forget(plan: SuitePlan, each: Pass) -> None:
    """Remove what an earlier suite of the same run left."""
    for file in (_events(plan, each), *plan.work.glob(f"{each.name}.*.xml")):
        file.unlink(missing_ok=True)


def _collect(plan: SuitePlan, each: Pass, follower: SuiteFollower) -> None:
    """Make the attempts so far one JUnit file of the artifacts."""
    attempts = [(_attempt_file(plan, each, number), cases) for number, cases in enumerate(follower.attempts, 1)]
    write_junit(attempts, plan.artifacts / f"{each.name}.xml")
