"""Finds runs on disk and goes on with one, in a later process than the one that began it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.lifecycle.acts import RunHost, make_plan, take_tally
from e2e.lifecycle.buildlog import BuildLog
from e2e.lifecycle.display import Display
from e2e.lifecycle.folder import RunFolder
from e2e.lifecycle.run import Run
from e2e.lifecycle.signals import Signals
from e2e.lifecycle.state import CLAIM, NO_TALLY, Failure, Keep, Presence, RunState, build_moment, build_number
from e2e.lifecycle.testers import make_tester
from e2e.lifecycle.tools import later_version, make_tools
from e2e.settings import Settings
from providers import process
from providers.contracts import Cluster
from providers.wording import nearest_few, visible
from upload.errors import Outcome, UsageError
from upload.layout import BUILD_LOG
from upload.model import StepRecord

if TYPE_CHECKING:
    from providers.config.model import JobConfig

CLAIM_TRIES = 60  # as many ids as upload.claim tries

Found = tuple[RunFolder, RunState]
EditJob = Callable[["JobConfig"], "JobConfig"]


def all_runs(state_dir: Path) -> tuple[Found, ...]:
    """Return every run on disk, the newest first. One whose state cannot be read is left out."""
    found = []
    runs = state_dir / "runs"
    for path in sorted(runs.iterdir()) if runs.is_dir() else ():
        folder = RunFolder(path)
        try:
            found.append((folder, folder.read()))
        except UsageError:
            continue
    return tuple(sorted(found, key=lambda each: (each[1].started_s, each[1].run), reverse=True))


def unreadable_runs(state_dir: Path) -> tuple[str, ...]:
    """Return the names of runs whose state cannot be read; their clusters may still be up."""
    runs = state_dir / "runs"
    known = {folder.name for folder, _ in all_runs(state_dir)}
    found = (path for path in (runs.iterdir() if runs.is_dir() else ()) if (path / "state.json").exists())
    return tuple(sorted(path.name for path in found if path.name not in known))


def find_run(state_dir: Path, ref: str | None, *, wanted: Callable[[RunState], bool]) -> RunFolder:
    """Return the run that RUN means: its name, or its JOB's newest ``wanted`` one; without RUN the newest ``wanted`` one.

    A run that could not be published under its own id is also found by that of its build. Raises UsageError when there
    is none.
    """
    if ref is not None and (named := find_named(state_dir, ref)):
        return named
    runs = all_runs(state_dir)
    for folder, state in runs:
        if state.claimed and ref == state.published_name:
            return folder
    of_job = [each for each in runs if ref is None or _is_of_job(each[1], ref)]
    for folder, state in of_job:
        if wanted(state):
            return folder
    if of_job and ref is not None:
        raise UsageError(f"job {ref} has no such run; its newest is {of_job[0][1].run}", hint="e2e status --all")
    raise UsageError(_missing(ref, [state for _, state in runs]), hint="e2e status --all")


def find_named(state_dir: Path, name: str) -> RunFolder | None:
    """Return the run of that name, if there is one."""
    path = state_dir / "runs" / name
    return RunFolder(path) if "/" not in name and (path / "state.json").is_file() else None


def _missing(ref: str | None, states: Sequence[RunState]) -> str:
    """Say that there is no such run, and which there are that may have been meant."""
    if not ref:
        return "there is no such run" + (f"; the newest is {states[0].run}" if states else "")
    names = dict.fromkeys(name for state in states for name in (state.run, state.job_name))
    near = nearest_few(ref, names)
    return f"there is no run {visible(ref)}" + (f"; there is {', '.join(near)}" if near else "")


def _is_of_job(state: RunState, ref: str) -> bool:
    return ref in (state.job_name, state.ref, Path(state.ref).stem)


def cluster_of(state_dir: Path, ref: str | None) -> Cluster:
    """Return the facts of a run's cluster that is up. Raises UsageError when there is none."""
    folder = find_run(state_dir, ref, wanted=lambda state: Presence.UP in state.clusters.values())
    for name in folder.read().clusters:
        if facts := folder.read_cluster(name):
            return facts
    raise UsageError(f"{folder.name} has no cluster that is up", hint=f"e2e status {folder.name}")


@dataclass(frozen=True, slots=True)
class Later:
    """What a later process does with a run: a sequence, with changes to the config that hold for it only."""

    command: str
    edit_job: EditJob | None = None
    test_s: int | None = None


@contextmanager
def attached(folder: RunFolder, later: Later, settings: Settings, display: Display) -> Iterator[Run]:
    """Give a run that an earlier process began; its folder is locked and signals are received while it is used.

    Raises: UsageError when another process holds the run, or what it left cannot be used.
    """
    with folder.locked(later.command), Signals() as signals:
        state = folder.read()
        job = stored_job(folder, state)
        job = later.edit_job(job) if later.edit_job else job
        tools = make_tools(job, settings, later_version(state, job, settings, display), test_s=later.test_s)
        artifacts = make_place(folder, state, later, display)
        if not state.published:
            state = replace(state, artifacts=str(artifacts))
        log = BuildLog(artifacts / BUILD_LOG, now_s=time.time)
        try:
            starts_over = later.command == "test" and not state.published
            if starts_over:  # the verdict of an earlier suite on this cluster is not this one's
                state = replace(state, failures=(), tally=NO_TALLY, suite_ended=False)
            yield Run(
                folder=folder,
                state=state,
                tools=tools,
                signals=signals,
                display=display,
                log=log,
                artifacts=artifacts,
                before=() if starts_over else state.failures,
                resumes=later.command == "resume",
                saves_verdict=not state.published,
            )
        finally:
            log.close()


def stored_job(folder: RunFolder, state: RunState) -> JobConfig:
    """Return the config that a run began with. Raises UsageError for one that this version does not understand."""
    from pydantic import ValidationError

    from providers.config.model import JobConfig

    try:
        return JobConfig.from_json(state.job)
    except ValidationError as exc:
        what = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in exc.errors())
        raise UsageError(f"the config of {folder.name} cannot be used: {what}", hint=f"look at {folder.path}") from exc


def make_place(folder: RunFolder, state: RunState, later: Later, display: Display) -> Path:
    """Return a folder for artifacts that can be written: the run's own, or one in its state folder where that cannot be.

    What is published stays as it is: what is done with its run later lies beside it, in a folder for each command.
    A disk that went away must not keep a cluster from being taken down. Raises UsageError when neither can be written.
    """
    from e2e.lifecycle.begin import make_artifacts

    place = Path(state.artifacts)
    if state.published and later.command != "publish":
        place = place.with_name(f"{place.name}.{later.command}-{build_number(time.time())}")
    try:
        make_artifacts(place)
    except UsageError as error:
        place = folder.path / "artifacts"
        display.note(f"{error}; going on in {place}")
        make_artifacts(place)
    if state.published and later.command != "publish":
        display.note(f"{state.run} is published and stays as it is; the artifacts of this go to {place}")
    return place


def take_over(run: Run, *, aborts: bool) -> None:
    """Write down how a killed process left a run, so that the rest of its sequence can be done.

    What it did not bring to an end failed: as ABORTED if ``aborts``, else as our failure. A suite that had ended keeps
    its verdict.
    """
    state = run.state
    deadline = run.tools.budget.deadline("dump")
    process.end(run.mark, deadline=deadline)
    if state.step == "test":
        suite = run.tools.job.suite
        tester = make_tester(suite.tester, suite.settings)
        take_tally(run, tester.salvage(make_plan(run), RunHost(run, deadline)))
    outcome = Outcome.ABORTED if aborts else Outcome.BUG
    text = f"the process was killed in step {state.step}" if state.step else "the process was killed"
    if state.step and state.step not in (CLAIM, "publish"):
        seconds = max(0, int(run.now_s()) - state.step_started_s)
        run.recorder.add(StepRecord(state.step.capitalize(), state.step_started_s, seconds, text, "", outcome))
    if not state.suite_ended and not state.failures:
        run.add_failure(Failure(state.step.capitalize() or "Run", outcome, text))
    run.change(lambda state: replace(state, step="", keep=Keep.NEVER, kept=False))


def adopt_claim(folder: RunFolder, state: RunState) -> RunState:
    """Return the state of a run that was killed while it took its build id: with the id, if it got it.

    Raises: StoreError when the store cannot be read.
    """
    if state.claimed or not state.store:
        return state
    from e2e.lifecycle.begin import adopt
    from e2e.lifecycle.publish import build_of, store_of
    from upload.documents import parse_started
    from upload.errors import ResultsError
    from upload.layout import build_paths

    store = store_of(state)
    for number in _claimable(state.build):
        ref = replace(build_of(state), number=number)
        stored = store.read(build_paths(ref).started)
        try:
            if stored is not None and parse_started(stored.body).claim == state.claim_token:
                return adopt(folder, state, ref, names_artifacts=False)
        except ResultsError:  # somebody else's build
            continue
    return state


def _claimable(build: str) -> list[str]:
    """Return the ids that a claim which began with ``build`` may have taken."""
    try:
        moment = build_moment(build)
    except ValueError:  # asked for with --build: no other was tried
        return [build]
    return [build_number(moment + second) for second in range(CLAIM_TRIES)]
