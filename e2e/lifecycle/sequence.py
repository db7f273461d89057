"""The sequence of a run, in one place: which steps there are, when each is wanted, what may cut it, what it does.

``build → up → test → dump → down → publish``, the first one only for a checkout, and the party's hooks between them. A step that fails never stops the ones behind it that clean up and publish.
Source: DESIGN section 6.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

from e2e.lifecycle import acts
from e2e.lifecycle.follow import followed, follower_of
from e2e.lifecycle.hooks import has_hook, run_hook
from e2e.lifecycle.notice import tell
from e2e.lifecycle.run import Run, Tools
from e2e.lifecycle.state import Failure, Keep
from providers.contracts import Deadline
from upload.errors import DeadlineExceeded, HarnessError, Interrupted, Outcome

NEVER = 99  # no signal cuts it; the third one leaves anyhow
HARD_S = 5.0  # a step that overlooks its deadline is cut this much later
STOPPING_S = 25.0  # a program gets SIGINT and 15 s; what is cut after that does not let its program be stopped
TEST = "Test"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``cut_at``: the number of the signal that cuts it, ``grace_s`` later at most.

    ``planned``: whether runs with these tools have it at all; ``wanted``: after what happened so far.
    """

    verb: str
    title: str
    act: Callable[[Run, Deadline], None]
    wanted: Callable[[Run], bool]
    cut_at: int
    grace_s: float = 0.0
    planned: Callable[[Tools], bool] = lambda _tools: True


def _nothing_failed(run: Run) -> bool:
    return not run.all_failures


def _suite_began(run: Run) -> bool:
    return run.state.is_live and not run.signals.count and any(each.name == TEST for each in run.recorder.records)


def _dump_wanted(run: Run) -> bool:
    is_done = "dump" in run.state.finished_steps
    only_up = run.state.keep is Keep.ON_SUCCESS and not run.all_failures
    return run.state.is_live and run.signals.count < 2 and not is_done and not only_up


def _down_wanted(run: Run) -> bool:
    return run.state.is_live and not keeps_cluster(run)


def _before_down_wanted(run: Run) -> bool:
    return run.signals.count < 2 and _down_wanted(run)


def _publish_wanted(run: Run) -> bool:
    return run.state.claimed and not run.state.published


def _hook(name: str, wanted: Callable[[Run], bool], *, cut_at: int = 1) -> Step:
    act = partial(run_hook, name=name, cut_at=cut_at)
    planned = partial(has_hook, name=name)
    return Step(name, f"Hook {name}", act, wanted, cut_at, STOPPING_S, planned)


STEPS = {
    step.verb: step
    for step in (
        Step("build", "Build", acts.build, _nothing_failed, cut_at=1, planned=acts.builds),
        _hook("before_up", _nothing_failed),
        Step("up", "Up", acts.bring_up, _nothing_failed, cut_at=1),
        _hook("after_up", _nothing_failed),
        _hook("before_test", _nothing_failed),
        Step("test", TEST, acts.run_suite, _nothing_failed, cut_at=1, grace_s=STOPPING_S),
        _hook("after_test", _suite_began),
        Step("dump", "Dump", acts.dump, _dump_wanted, cut_at=2),
        _hook("before_down", _before_down_wanted, cut_at=2),
        Step("down", "Down", acts.take_down, _down_wanted, cut_at=NEVER),
        Step("publish", "Publish", acts.publish, _publish_wanted, cut_at=NEVER),
    )
}

# verb of the command line -> its steps
SEQUENCES = {
    "run": (
        *("build", "before_up", "up", "after_up", "before_test", "test", "after_test"),
        *("dump", "before_down", "down", "publish"),
    ),
    "up": ("build", "up", "dump", "down"),  # the last two only when it failed
    "test": ("test",),
    "dump": ("dump",),
    "down": ("dump", "down"),
    "resume": ("dump", "down", "publish"),
}

# These bring a run to its end; the others do something with it in between.
WHOLE = frozenset({"run", "up", "resume"})
TOLD = frozenset({"run", "resume"})  # these end what somebody waits for


def conduct(run: Run, sequence: str) -> Outcome:
    """Do the steps of a sequence and return what the run came to: by the first failure."""
    steps = [STEPS[verb] for verb in SEQUENCES[sequence]]
    if sequence == "dump":  # asked for by name: also of a cluster that was only brought up
        steps = [replace(steps[0], wanted=lambda run: run.state.is_live)]
    with followed(follower_of(run)) if sequence == "run" and run.state.claimed else nullcontext():
        for step in steps[:-1]:
            perform_wanted(run, step)
    is_first = not run.state.published
    perform_wanted(run, steps[-1])  # publish: the log is final
    note_signal(run)
    if sequence in TOLD and run.state.claimed and is_first:
        tell(run)
    if not run.state.is_live:
        run.folder.forget_built()
    if sequence in WHOLE or (sequence == "down" and not run.state.needs_publishing and not run.state.is_live):
        run.change(lambda state: replace(state, ended_s=int(run.now_s())))
    return run.outcome


def perform_wanted(run: Run, step: Step) -> None:
    """Do one step if it is wanted after what happened so far."""
    note_signal(run)
    if step.planned(run.tools) and step.wanted(run):
        perform(run, step)


def perform(run: Run, step: Step) -> None:
    """Do one step. Whatever goes wrong in it is recorded and added to the run's failures; nothing is raised."""
    deadline = run.tools.budget.deadline(step.verb)
    hard = replace(deadline, at=deadline.at + HARD_S)
    run.change(lambda state: replace(state, step=step.verb, step_started_s=int(run.now_s())))

    def act() -> None:
        run.signals.cuttable(lambda: step.act(run, deadline), hard, at=step.cut_at, grace_s=step.grace_s)

    try:
        with run.recorder.step(step.title):
            in_time(act, deadline)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # of a provider or of ours: dump, down and publish follow
        if not (isinstance(error, Interrupted) and run.state.suite_ended):  # then the verdict stands
            run.fail(step.title, error)
        finished = run.state.finished_steps
    else:
        finished = (*run.state.finished_steps, step.verb)
    run.change(lambda state: replace(state, step="", finished_steps=finished))


def in_time(act: Callable[[], None], deadline: Deadline) -> None:
    """Call ``act``; what it raises once its time is over is DeadlineExceeded, whatever a library called it."""
    try:
        act()
    except (DeadlineExceeded, Interrupted):
        raise
    except HarnessError as error:
        if deadline.remaining_s() > 0:
            raise
        late = DeadlineExceeded(deadline.what, deadline.total_s, hint=error.hint)
        late.add_note(str(error))
        raise late from error


def note_signal(run: Run) -> None:
    """Make a signal that came before the suite ended a failure; after that the verdict stands."""
    if run.signals.count and not run.state.suite_ended and not run.all_failures:
        run.add_failure(Failure("signal", Outcome.ABORTED, str(Interrupted(run.signals.received[0]))))


def keeps_cluster(run: Run) -> bool:
    """Say whether the policy keeps the cluster, and write down that it does. What was aborted goes, unless ALWAYS."""
    failed = bool(run.all_failures)
    keeps = {
        Keep.NEVER: False,
        Keep.ALWAYS: True,
        Keep.ON_FAILURE: failed and run.outcome is not Outcome.ABORTED,
        Keep.ON_SUCCESS: not failed,
    }[run.state.keep]
    if keeps:
        run.change(lambda state: replace(state, kept=True))
    return keeps
