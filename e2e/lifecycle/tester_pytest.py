"""The pytest tester: the suite of this package in two passes, first what may run in parallel, then what may not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.lifecycle.child import Command, Exit
from e2e.lifecycle.progress import SuiteFollower
from e2e.lifecycle.state import Tally
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
    """One run of pytest. ``shard``: the JUnit file it writes; ``workers`` 0: no processes beside it."""

    shard: str
    select: str
    workers: int


class PytestTester:
    """Runs ``python -m pytest`` on a suite that uses the plugin ``e2e.plugin``. ``program``: how pytest is started."""

    def __init__(self, suite: Path = SUITE, program: Sequence[str] = PYTEST) -> None:
        self._suite = suite
        self._program = tuple(program)

    def describe(self, plan: SuitePlan) -> tuple[tuple[str, ...], ...]:
        """Return the two command lines."""
        return tuple(self._argv(plan, each, ()) for each in passes(plan))

    def salvage(self, plan: SuitePlan, host: Host) -> Tally:
        """Write the JUnit that killed passes did not write, from their events; return what finished."""
        tally = Tally()
        for each in passes(plan):
            follower = SuiteFollower(plan.work / f"{each.shard}.events.jsonl", host.case_ended, base=tally)
            follower.look()
            complete_junit(plan.artifacts / each.shard, follower)
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
            events = plan.work / f"{each.shard}.events.jsonl"
            events.unlink(missing_ok=True)
            follower = SuiteFollower(events, host.case_ended, base=tally)
            host.on_tick(_look(follower, host))
            ended = host.run(Command(self._argv(plan, each, broken), plan.env, self._suite))
            follower.look()
            complete_junit(plan.artifacts / each.shard, follower)
            tally, tail = follower.tally(), ended.output_tail or tail
            broken = (*broken, *follower.problems)
            leftovers = follower.leftovers  # the last look knows what is left of all
            if follower.running:
                host.note(f"cut while running: {', '.join(sorted(follower.running))}")
            if ended.stopped:
                stopped = ended.stopped
                break
            codes.append(check_code(ended))
        return replace(
            verdict(codes, tally, stopped=stopped), stopped=stopped, output_tail=tail, leftovers=tuple(leftovers)
        )

    def _argv(self, plan: SuitePlan, each: Pass, broken: Sequence[str]) -> tuple[str, ...]:
        parallel = ("-n", str(each.workers), "--dist", "worksteal") if each.workers else ("-n", "0")
        removal = ("--e2e-remove", "never", "--e2e-gone-within", "0") if plan.cluster_goes else ()
        return (
            *self._start(each.select),
            *(*parallel, "-q"),
            *("--junitxml", str(plan.artifacts / each.shard), "--basetemp", str(plan.work / "tmp")),
            *("--e2e-cluster", str(plan.cluster_file), "--e2e-run", plan.run),
            *("--e2e-evidence", str(plan.artifacts / "failures"), "--e2e-secrets", str(plan.secrets_file)),
            *("--e2e-events", str(plan.work / f"{each.shard}.events.jsonl")),
            *removal,
            *_titles(plan),
            *(f"--ignore={self._suite / name}" for name in broken),
        )

    def _start(self, select: str) -> tuple[str, ...]:
        return (
            *self._program,
            *("-c", str(self._suite / "pytest.ini"), "--rootdir", str(self._suite), str(self._suite)),
            *("-m", select, "--no-header", "--color=no", "--continue-on-collection-errors"),
        )


def passes(plan: SuitePlan) -> tuple[Pass, Pass]:
    """Return what is run: the cases that bear company, then those that do not."""
    return (
        Pass("junit_01.xml", f"({plan.select}) and not serial", plan.workers),
        Pass("junit_02.xml", f"({plan.select}) and serial", 0),
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


def complete_junit(path: Path, follower: SuiteFollower) -> None:
    """Write the JUnit file from the events when pytest was killed before it wrote it whole."""
    if _is_whole(path) or not follower.finished:
        return
    from upload.junit_render import render_one

    path.write_bytes(render_one(follower.finished))


def _is_whole(path: Path) -> bool:
    """Say whether the file ends as pytest's does: it writes it in one go, so a cut shows at the end."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64))
            return file.read().rstrip().endswith((b"</testsuites>", b"</testsuite>"))
    except FileNotFoundError:
        return False
