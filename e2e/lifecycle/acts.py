"""What each step of the sequence does. They raise; ``sequence.perform`` records. The order stands in ``sequence``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from e2e.lifecycle.child import Command, Exit, Watch, run_child
from e2e.lifecycle.costs import estimate
from e2e.lifecycle.display import SuiteProgress
from e2e.lifecycle.run import CLUSTER, MARK, Run, Tools
from e2e.lifecycle.state import Failure, Keep, Presence, Tally
from e2e.lifecycle.testers import SuitePlan, SuiteResult, make_tester
from providers import process
from providers.contracts import Context, Deadline, NamesPrograms, Provider
from providers.releases.forms import release_of
from upload.errors import DeadlineExceeded, HarnessError, Outcome, ProviderError, UsageError
from upload.model import Case, Status

LEFT_SHOWN = 10
LOSSES_S = 30.0  # of its own: the suite has used up its time


def builds(tools: Tools) -> bool:
    """Say whether a run has the step Build: for a checkout, where the provider knows what it will ask for."""
    return tools.job.is_built and hasattr(tools.provider, "programs")


def build(run: Run, deadline: Deadline) -> None:
    """Build what the provider and the tester will ask for of a checkout.

    Raises: ProviderError with the compiler's lines when it does not build: no case was run, so it is no verdict.
    """
    if run.tools.unresolved is not None:
        raise run.tools.unresolved
    names = cast("NamesPrograms", run.tools.provider).programs(run.tools.spec)
    if run.tools.owns_cluster:  # else the suite is of the version that somebody's cluster has
        suite = run.tools.job.suite
        of_tester = getattr(make_tester(suite.tester, suite.settings), "programs", None)  # UsesPrograms
        names = (*names, *(of_tester() if of_tester else ()))
    run.binaries.ensure(names, deadline=deadline)


def bring_up(run: Run, deadline: Deadline) -> None:
    """Have the provider make the cluster, and keep its facts for testers and later processes."""
    if run.tools.unresolved is not None:
        raise run.tools.unresolved
    if costs := estimate(run.tools.provider, run.tools.job):
        run.recorder.note(costs)
    run.change(lambda state: state.with_cluster(CLUSTER, Presence.MADE))
    facts = run.tools.provider.up(run.tools.spec, run.context(deadline))
    run.folder.write_cluster(CLUSTER, facts)
    upgraded_to = facts.version if run.tools.spec.upgrade_to else ""
    run.change(lambda state: replace(state.with_cluster(CLUSTER, Presence.UP), upgraded_to=upgraded_to))


def run_suite(run: Run, deadline: Deadline) -> None:
    """Run the tester. Failed cases are a verdict and no error; a suite that was stopped keeps what finished."""
    process.end(run.mark, deadline=deadline)  # a suite that a killed process left would disturb this one
    plan, host = make_plan(run), RunHost(run, deadline)
    suite = run.tools.job.suite
    tester = make_tester(suite.tester, suite.settings)
    if not run.tools.owns_cluster:
        from e2e.lifecycle.permissions import check_permissions, needs_of

        check_permissions(plan.cluster, needs_of(tester, plan, host))
    result = tester.test(plan, host)
    run.recorder.keep_tail(result.output_tail)
    take_tally(run, result.tally)
    run.change(lambda state: replace(state, suite_ended=result.stopped is None))
    take_result(run, result, lost=losses(run, result, deadline))
    if result.stopped is not None:
        raise result.stopped


def take_tally(run: Run, tally: Tally) -> None:
    """Write down how the suite came out, unless a verdict is published already."""
    run.tally = tally
    if run.saves_verdict:
        run.change(lambda state: replace(state, tally=tally))


def losses(run: Run, result: SuiteResult, deadline: Deadline) -> str:
    """Return which machines a suite that failed or came to no end lost, by what the provider says; empty: none."""
    ask = getattr(run.tools.provider, "losses", None)  # NoticesLosses
    is_late = isinstance(result.stopped, DeadlineExceeded)
    has_failed = result.stopped is None and result.outcome in (Outcome.TESTS_FAILED, Outcome.BUG)
    if ask is None or not (is_late or has_failed):
        return ""
    until = Deadline.after(LOSSES_S, "looking for lost machines") if is_late else deadline
    try:
        found = ask(run.context(until))
    except HarnessError as error:
        run.recorder.note(f"whether machines were lost is not known: {error}")
        return ""
    return _listed([f"{node}: {befell}" for node, befell in found.items()])


def take_result(run: Run, result: SuiteResult, *, lost: str = "") -> None:
    """Make a suite's verdict the run's: first what it said, then what it left behind on a cluster that stays.

    What failed where machines were ``lost`` is no verdict on Kubernetes: they are then the first failure.
    """
    text = f"machines were lost while the suite ran: {lost}" if lost else ""
    if lost:
        hint = "journalctl --boot -1 --lines 50   (on the machine)"
        run.add_failure(Failure("Test", Outcome.PROVIDER, text, hint))
    if result.outcome is not Outcome.PASSED and result.stopped is None:
        failure = Failure("Test", result.outcome, result.text)
        told, outcome = (f"{text}\n{failure.text}", Outcome.PROVIDER) if lost else (failure.text, failure.outcome)
        run.recorder.mark_failed(told, outcome)
        run.add_failure(failure)
    elif result.text:
        run.recorder.note(result.text)
    if not result.leftovers:
        return
    text = f"the suite left {_listed(result.leftovers)}"
    if run.tools.owns_cluster:
        run.recorder.note(text)  # it goes with the cluster
    else:
        if result.outcome is Outcome.PASSED:
            run.recorder.mark_failed(text, Outcome.PROVIDER)
        run.add_failure(Failure("Test", Outcome.PROVIDER, text))


def dump(run: Run, deadline: Deadline) -> None:
    """Have the provider write what is known of the cluster into the artifacts; an older dump is replaced."""
    dest = run.artifacts / "cluster" / CLUSTER
    shutil.rmtree(dest, ignore_errors=True)
    dest.mkdir(parents=True)
    run.tools.provider.dump(run.context(deadline), dest)


def take_down(run: Run, deadline: Deadline) -> None:
    """End what a tester left running, have the provider remove the cluster, and see that nothing is left.

    Raises: ProviderError with the names of what is left; the folder with the provider's memory then stays.
    """
    process.end(run.mark, deadline=deadline)
    context = run.context(deadline)
    run.tools.provider.down(context)
    left_over(run.tools.provider, context, hint=f"e2e down {run.state.run}")
    run.folder.forget_cluster(CLUSTER)
    run.change(lambda state: replace(state.with_cluster(CLUSTER, Presence.GONE), kept=False))


def left_over(provider: Provider, context: Context, *, hint: str) -> None:
    """Raise ProviderError with the names of what is still there after down, if anything is."""
    if left := provider.leftovers(context):
        names = _listed([f"{each.kind} {each.name}" for each in left])
        raise ProviderError(f"left over after down: {names}", hint=hint)


def publish(run: Run, deadline: Deadline) -> None:
    """Store the results; see ``e2e.lifecycle.publish``."""
    from e2e.lifecycle.publish import publish_open_run

    publish_open_run(run, deadline)


def make_plan(run: Run) -> SuitePlan:
    """Return what the tester is given. Raises UsageError when the run has no cluster that is up."""
    facts = run.folder.read_cluster(CLUSTER)
    if facts is None:
        raise UsageError(f"{run.state.run} has no cluster that is up", hint="e2e status")
    suite = run.tools.job.suite
    return SuitePlan(
        run=run.state.run,
        cluster=facts,
        cluster_file=run.folder.cluster_file(CLUSTER),
        artifacts=run.artifacts,
        work=run.folder.work,
        secrets_file=run.folder.secrets_file,
        select=suite.expression(),
        workers=suite.workers,
        focus=suite.focus or "",
        skip=suite.skip or "",
        attempts=suite.flake_attempts,
        ref=run.state.ref,
        cluster_goes=run.tools.owns_cluster and run.state.keep is Keep.NEVER,
        env={**run.tools.settings.child_variables(), MARK: str(run.folder.path)},
    )


def _listed(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - LEFT_SHOWN} more" if len(names) > LEFT_SHOWN else ""
    return ", ".join(names[:LEFT_SHOWN]) + more


def _nothing() -> None:
    pass


@dataclass(slots=True)
class RunHost:
    """What a tester is given of the run: programs in a group of their own, and the display.

    ``cut_at``: the number of the signal that stops a program.
    """

    run_of: Run
    deadline: Deadline
    look: Callable[[], None] = field(default=_nothing)
    cut_at: int = 1

    def run(self, command: Command) -> Exit:
        """Run a program in a process group of its own; its output goes to the build log."""
        self.run_of.log.line(f"runs: {' '.join(command.argv)}")
        with command.keep.open("ab", buffering=0) if command.keep else nullcontext() as kept:

            def output(text: str) -> None:
                if kept is not None:
                    kept.write(text.encode())
                self._output(text)

            watch = Watch(output=output, tick=self.look, stop=self._stop, groups=self.run_of.signals.groups)
            return run_child(command, watch)

    def programs(self, names: Iterable[str], version: str) -> Mapping[str, Path]:
        """Return the paths of programs of a version, of the same sources as the run's."""
        binaries = self.run_of.binaries
        if version != binaries.version:
            binaries = binaries.other(release_of(version), deadline=self.deadline)
        return binaries.ensure(names, deadline=self.deadline)

    def on_tick(self, look: Callable[[], None]) -> None:
        """Have ``look`` called while a program runs."""
        self.look = look

    def suite(self, progress: SuiteProgress) -> None:
        """Show how far the suite is."""
        self.run_of.tally = progress.tally  # also what a tester that breaks has done so far
        self.run_of.display.suite(progress)

    def case_ended(self, case: Case) -> None:
        """Write the case to the log, where people look for it by its title, and show it."""
        why = f": {case.text.splitlines()[0]}" if case.status is Status.SKIPPED and case.text else ""
        self.run_of.log.line(f"{case.status} {case.seconds:6.1f} s  {case.name}{why}")
        self.run_of.display.case_ended(case)

    def note(self, text: str) -> None:
        """Write a line to the build log."""
        self.run_of.recorder.note(text)

    def _stop(self) -> HarnessError | None:
        return self.run_of.signals.reason(self.cut_at, self.deadline)

    def _output(self, text: str) -> None:
        self.run_of.log.plain(text)
        self.run_of.display.output(text)
