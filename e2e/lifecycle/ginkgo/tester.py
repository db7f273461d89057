"""The tester ``e2e.test``: Ginkgo runs upstream's compiled suite; what fails is tried again in a run of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from e2e.lifecycle.child import Command, Exit
from e2e.lifecycle.counting import tally_of
from e2e.lifecycle.display import SuiteProgress
from e2e.lifecycle.ginkgo.output import GinkgoFollower, counted
from e2e.lifecycle.ginkgo.report import take_report
from e2e.lifecycle.ginkgo.selection import LABELS, exactly, foreign_syntax, go_pattern, label_filter
from e2e.lifecycle.ginkgo.settings import GinkgoSettings
from e2e.lifecycle.state import Tally
from e2e.lifecycle.suite_junit import write_junit
from e2e.lifecycle.testers import BrokenTester, Host, SuitePlan, SuiteResult
from upload.errors import Outcome, UsageError
from upload.model import Case, Status
from upload.names import GINKGO_NODE

NAME = "e2e.test"
PROGRAMS = ("ginkgo", NAME, "kubectl")
UNBOUNDED = "336h"  # Ginkgo's own limit is an hour; the step has a deadline
PASSED, FAILED, FOCUSED = 0, 1, 197  # exit codes of ginkgo; the last one: passed, and a case is focused in its source
UNTOLD = frozenset({"cluster_scoped", "preempts"})  # what upstream's cases do without a label that says so


@dataclass(slots=True)
class Attempt:
    """One run of Ginkgo. ``number`` counts from 1; ``follower``: what it printed; ``cases``: how they ended, in the end."""

    number: int
    follower: GinkgoFollower
    cases: tuple[Case, ...] = ()


class GinkgoTester:
    """Runs ``ginkgo e2e.test`` of the cluster's version."""

    Settings: ClassVar[type[GinkgoSettings]] = GinkgoSettings

    def __init__(self, settings: GinkgoSettings) -> None:
        self._settings = settings

    def programs(self) -> tuple[str, ...]:
        """Return the suite, what runs it, and what its cases call."""
        return PROGRAMS

    def refusals(self, given: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the keys that Ginkgo or upstream's labels cannot express."""
        found = {}
        for key in ("focus", "skip"):
            if given.get(key) and (foreign := foreign_syntax(given[key])):
                found[key] = f"a regular expression of Go, which has no {foreign}"
        if given.get("select"):
            try:
                label_filter(given["select"], is_asked_for=False, keeps_quiet=False)
            except ValueError as exc:
                found["select"] = f"markers that upstream's cases have as well ({', '.join(LABELS)}), not {exc}"
        return found

    def describe(self, plan: SuitePlan) -> tuple[tuple[str, ...], ...]:
        """Return the command line, with the programs' names in the place of their paths."""
        return (self._argv(plan, {name: Path(name) for name in PROGRAMS}, 1),)

    def test(self, plan: SuitePlan, host: Host) -> SuiteResult:
        """Run the suite, then what failed in it, until it passes or has had its attempts.

        Raises: UsageError for a cluster of others that does not allow what upstream's cases do, ProviderError when there
        are no programs of this version, BrokenTester when Ginkgo breaks.
        """
        check_allowed(plan)
        programs = host.programs(PROGRAMS, plan.cluster.version)
        _forget(plan)
        attempts: list[Attempt] = []
        only: tuple[str, ...] = ()
        for number in range(1, plan.attempts + 1):
            attempt = Attempt(number, GinkgoFollower(_log(plan, number), host.case_ended))
            attempts.append(attempt)
            host.on_tick(_look(attempts, host))
            argv = self._argv(plan, programs, number, only=only)
            ended = host.run(Command(argv, _environment(plan, programs), plan.work, keep=_log(plan, number)))
            only = _collect(plan, attempts, host, was_stopped=ended.stopped is not None)
            if ended.stopped or not only or number == plan.attempts:
                break
            host.note(f"attempt {number + 1} of {plan.attempts} of {len(only)} failed: {', '.join(only)}")
        tally = _tally(attempts)
        return replace(verdict(ended, tally), stopped=ended.stopped, output_tail=ended.output_tail, tally=tally)

    def salvage(self, plan: SuitePlan, host: Host) -> Tally:
        """Write the JUnit of what finished, from what Ginkgo printed until it was killed."""
        attempts: list[Attempt] = []
        while _log(plan, len(attempts) + 1).exists():
            number = len(attempts) + 1
            attempts.append(Attempt(number, GinkgoFollower(_log(plan, number), host.case_ended)))
            _collect(plan, attempts, host, was_stopped=True)
        return _tally(attempts)

    def _argv(
        self, plan: SuitePlan, programs: Mapping[str, Path], number: int, *, only: Sequence[str] = ()
    ) -> tuple[str, ...]:
        workers = min(plan.workers, len(only)) if only else plan.workers
        return (
            *(str(programs["ginkgo"]), f"--procs={workers}", "-v", "--no-color", f"--timeout={UNBOUNDED}"),
            *([f"--focus={pattern}" for pattern in exactly(only)] if only else self._selection(plan)),
            *(str(programs[NAME]), "--", f"--report-dir={_report(plan, number).parent}"),
            *(f"--e2e-output-dir={plan.work}", "--provider=skeleton"),
            # without pods there are no logs: asking each node for them takes minutes
            *(() if "pods-run" in plan.cluster.features else ("--dump-logs-on-failure=false",)),
            *self._settings.flags,
        )

    def _selection(self, plan: SuitePlan) -> Iterable[str]:
        # one word each: a pattern that begins with a dash must never become an option
        yield from (
            f"{flag}={go_pattern(text)}" for flag, text in (("--focus", plan.focus), ("--skip", plan.skip)) if text
        )
        try:
            labels = label_filter(
                plan.select,
                self._settings.label_filter or "",
                is_asked_for=bool(plan.focus),
                keeps_quiet="disruptive" not in plan.cluster.allow,
            )
        except ValueError as exc:
            raise UsageError(f"suite.select: no label of upstream's cases: {exc}", hint="e2e check") from exc
        yield f"--label-filter={labels}"


def check_allowed(plan: SuitePlan) -> None:
    """Raise UsageError where the cluster does not allow what upstream's cases do without telling beforehand."""
    missing = sorted(UNTOLD - plan.cluster.allow)
    if missing:
        raise UsageError(
            f"upstream's suite cannot be run without {' and '.join(missing)}, which this cluster does not allow",
            hint=f"add provider: {{allow: [{', '.join(sorted(UNTOLD))}]}} to the config of a cluster that is yours",
        )


def verdict(ended: Exit, tally: Tally) -> SuiteResult:
    """Return what the exit code and the cases come to. Raises BrokenTester when the code says more than the cases."""
    if tally.failed:
        return SuiteResult(Outcome.TESTS_FAILED, f"{tally.failed} of {tally.done} cases failed")
    if ended.stopped is not None:
        return SuiteResult(Outcome.PASSED)
    if ended.code < 0:
        raise BrokenTester("ginkgo was killed, and not by us: out of memory?", ended.output_tail)
    if ended.code not in (PASSED, FOCUSED):
        raise BrokenTester(f"ginkgo ended with code {ended.code}, and no case failed", ended.output_tail)
    if not tally.done:
        return SuiteResult(
            Outcome.USAGE, "nothing selected: no case matches preset, select, label_filter, focus and skip"
        )
    return SuiteResult(Outcome.PASSED)


def _environment(plan: SuitePlan, programs: Mapping[str, Path]) -> dict[str, str]:
    folder = plan.work / "tmp"
    folder.mkdir(exist_ok=True)
    path = f"{programs['kubectl'].parent}:{plan.env.get('PATH', '')}"
    return {**plan.env, "KUBECONFIG": str(plan.cluster.kubeconfig), "PATH": path, "TMPDIR": str(folder)}


def _look(attempts: Sequence[Attempt], host: Host) -> Callable[[], None]:
    def look() -> None:
        attempts[-1].follower.look()
        host.suite(SuiteProgress(_tally(attempts), attempts[-1].follower.running))

    return look


def _tally(attempts: Sequence[Attempt]) -> Tally:
    """Return the counts over all attempts; of the one that goes on as far as it is."""
    if not attempts:
        return Tally()
    ended = tuple(case for attempt in attempts for case in attempt.cases or counted(attempt.follower.cases))
    return tally_of(ended, total=attempts[0].follower.total or 0)


def _collect(plan: SuitePlan, attempts: Sequence[Attempt], host: Host, *, was_stopped: bool) -> tuple[str, ...]:
    """Make the attempts so far one JUnit file of the artifacts; return the titles of the last one's failed cases."""
    last = attempts[-1]
    last.follower.finish()
    whole = _whole(plan, last.number)
    reported = take_report(_report(plan, last.number), whole, was_stopped=was_stopped)
    last.cases = counted(last.follower.cases if reported is None else reported)
    cut = (*last.follower.cut, *last.follower.running)
    if cut and (was_stopped or reported is None):
        host.note(f"cut while running: {', '.join(cut)}")
    written = [(_whole(plan, attempt.number), attempt.cases) for attempt in attempts]
    write_junit(written, plan.artifacts / "junit_01.xml")
    failed = (case.name for case in last.cases if case.status is Status.FAILED and case.name.startswith(GINKGO_NODE))
    return tuple(name.removeprefix(GINKGO_NODE) for name in failed)


def _log(plan: SuitePlan, number: int) -> Path:
    return plan.work / f"ginkgo.{number}.log"


def _report(plan: SuitePlan, number: int) -> Path:
    """Return where upstream's suite writes the JUnit of one attempt: under a name of its own in the folder it is given."""
    return plan.work / f"ginkgo.{number}" / "junit_01.xml"


def _whole(plan: SuitePlan, number: int) -> Path:
    return plan.work / f"ginkgo.{number}.xml"


def _forget(plan: SuitePlan) -> None:
    """Remove what an earlier suite of the same run left."""
    for path in plan.work.glob("ginkgo.*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    (plan.artifacts / "junit_01.xml").unlink(missing_ok=True)
