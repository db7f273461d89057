"""Begins a run: its version, its name and folder, its build in the store, its log. Nothing else is created before."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.lifecycle.addresses import SITE, addresses, store_folder
from e2e.lifecycle.buildlog import BuildLog
from e2e.lifecycle.display import Display
from e2e.lifecycle.folder import STATE, RunFolder, create_folder
from e2e.lifecycle.publish import build_of, store_of, store_until
from e2e.lifecycle.run import Run, Tools
from e2e.lifecycle.signals import Signals
from e2e.lifecycle.state import CLAIM, Keep, RunState, build_moment, build_number, run_name
from e2e.lifecycle.tools import UNKNOWN, Version, make_tools, resolve_version
from e2e.settings import Settings
from providers.contracts import Deadline
from upload.documents import Started
from upload.errors import ProviderError, ResultsError, UsageError
from upload.layout import BUILD_LOG, check_prefix, pull_prefix
from upload.model import BuildRef

if TYPE_CHECKING:
    from providers.config.model import JobConfig
    from upload.store.base import Store

NAME_TRIES = 60
KEPT_S = 24 * 3600  # how long a kept cluster is its owner's
SPARE_S = 3600  # how long one that is not kept may outlive its run


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for.

    ``store`` empty: nothing is published. ``build``: a build id, or empty. ``pull``: the pull request that is tested, as
    ``ORG_REPO/NUMBER``, or ``batch``, or empty.
    """

    ref: str
    job: JobConfig
    command: str
    keep: Keep
    store: str = ""
    build: str = ""
    artifacts: Path | None = None
    test_s: int | None = None
    offline: bool = False
    pull: str = ""

    @property
    def prefix(self) -> str:
        """The folder of the store that the job lies in."""
        return pull_prefix(self.pull) if self.pull else self.job.results.prefix


@contextmanager
def begun(
    order: Order, settings: Settings, display: Display, *, now_s: Callable[[], float] = time.time
) -> Iterator[Run]:
    """Give a run that has begun; its folder is locked and signals are received while it is used.

    Raises: UsageError (also for artifacts that are not empty), ResultsError when the store cannot be written: then
    nothing was created.
    """
    check_order(order, settings)
    with ExitStack() as open_things, Signals() as signals:
        deadline = Deadline.after(order.job.defaults.timeouts.publish_s, "taking a build id")
        version = signals.cuttable(
            lambda: resolve_version(order.job, settings, display, offline=order.offline), deadline, at=1
        )
        tools = make_tools(order.job, settings, version, test_s=order.test_s)
        folder = new_folder(order, settings, now_s())
        open_things.enter_context(folder.locked(order.command))
        open_things.callback(forget_unborn, folder)
        version = signals.cuttable(lambda: ask_version(tools, version, folder), deadline, at=1)
        state = first_state(order, settings, version, name=folder.name, now_s=int(now_s()))
        folder.write(state)
        try:
            make_artifacts(order.artifacts or settings.artifacts)  # its own folder is named after the build it gets
            # a claim that is cut in the middle may have been stored: the first signal waits for it
            open_store = partial(store_until, deadline=deadline, tell=display.note)
            state = signals.cuttable(lambda: claim_build(order, settings, folder, state, open_store), deadline, at=2)
        except (UsageError, ResultsError):
            (folder.path / STATE).unlink()  # there is no build, so there is no run
            raise
        run = open_run(folder, replace(state, step=""), tools, signals, display)
        open_things.callback(run.log.close)
        yield run


def make_artifacts(folder: Path) -> None:
    """Make a folder for artifacts, or the one that holds them, and prove that it can be written. Raises UsageError."""
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        raise UsageError(
            f"the artifacts cannot be written to {folder}: {exc.strerror or exc}", hint="give --artifacts DIR"
        ) from exc


def check_order(order: Order, settings: Settings) -> None:
    """Raise UsageError for what is wrong by itself, before anything is looked up.

    That is a build id that no store takes, a pull request that no reader finds, and a folder that is not empty, since
    results of two runs must not mix, or that is mixed up with another one of ours.
    """
    from upload.claim import check_form

    for finding in check_prefix(order.prefix):
        raise UsageError(finding.what, hint="give --pull ORG_REPO/NUMBER, such as kubernetes_kubernetes/12345")
    if order.build:
        check_form(order.build)
    folder = order.artifacts
    if folder is None:
        return
    for what, taken in taken_folders(order, settings):
        own, other = folder.resolve(), taken.resolve()
        if own.is_relative_to(other) or other.is_relative_to(own):
            raise UsageError(
                f"--artifacts {folder} is mixed up with the {what}, {taken}", hint="give a folder elsewhere"
            )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"--artifacts {folder} is no folder")
    if any(folder.iterdir()):
        raise UsageError(f"--artifacts {folder} is not empty", hint="give a new folder")


def taken_folders(order: Order, settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the folders that are no place for artifacts: what is private would be published, or the published changed."""
    yield "state of runs", settings.state
    if store := store_folder(order.store):
        yield "store", store
        yield "site", store.parent / SITE


def new_folder(order: Order, settings: Settings, now_s: float) -> RunFolder:
    """Make the folder of a run that is named after this second, or the next free one."""
    if order.build:
        return create_folder(settings.state, lambda _try: run_name(order.job.job, order.build), tries=1)
    return create_folder(
        settings.state, lambda attempt: run_name(order.job.job, build_number(now_s + attempt)), tries=NAME_TRIES
    )


def ask_version(tools: Tools, version: Version, folder: RunFolder) -> Version:
    """Return the version of a cluster that is there already; ``unknown`` when it does not answer: ``up`` will say why.

    Raises: UsageError when it cannot be asked.
    """
    ask = getattr(tools.provider, "cluster_version", None)
    if ask is None:
        return version
    try:
        return replace(version, text=ask(folder.work), source="cluster")
    except ProviderError:
        return replace(version, text=UNKNOWN, source="cluster")


def forget_unborn(folder: RunFolder) -> None:
    """Remove the folder of a run that never got a state or whose claim failed."""
    if not (folder.path / STATE).exists():
        shutil.rmtree(folder.path, ignore_errors=True)


def first_state(order: Order, settings: Settings, version: Version, *, name: str, now_s: int) -> RunState:
    """Return the state of a run that has a name and nothing else."""
    lasts_s = order.job.defaults.timeouts.total_s + (order.test_s or 0)
    return RunState(
        run=name,
        ref=order.ref,
        job=order.job.to_json(),
        command=order.command,
        artifacts=str((order.artifacts or settings.artifacts / name).absolute()),
        owner=settings.owner,
        started_s=now_s,
        expires_s=now_s + lasts_s + (SPARE_S if order.keep is Keep.NEVER else KEPT_S),
        keep=order.keep,
        store=order.store,
        prefix=order.prefix,
        build=name.rpartition("-")[2],
        claim_token=secrets.token_hex(8),
        step=CLAIM if order.store else "",
        step_started_s=now_s if order.store else 0,
        version=version.text,
        version_source=version.source,
        offline=order.offline,
    )


def claim_build(
    order: Order, settings: Settings, folder: RunFolder, state: RunState, open_store: Callable[[RunState], Store]
) -> RunState:
    """Take a build id in the store, rename the run after it, and return its state, which is on disk.

    Raises: ResultsError when the store cannot be written, UsageError for an id that cannot be had.
    """
    if not order.store:
        return state
    from upload.claim import claim

    ref = claim(
        open_store(state),
        BuildRef(state.prefix, state.job_name, order.build),
        Started(timestamp_s=state.started_s, node=settings.node, version=state.version),
        now_s=state.started_s if order.build else build_moment(state.build),
        token=lambda: state.claim_token,
    )
    return adopt(folder, state, ref, names_artifacts=order.artifacts is None)


def adopt(folder: RunFolder, state: RunState, ref: BuildRef, *, names_artifacts: bool) -> RunState:
    """Write down that a build is ours; the run and its folder get its name, but for a cluster that lives there."""
    name = state.run if state.is_live else run_name(state.job_name, ref.number)
    artifacts = Path(state.artifacts).with_name(name) if names_artifacts else Path(state.artifacts)
    state = replace(state, run=name, build=ref.number, artifacts=str(artifacts), claimed=True)
    if name != folder.name:
        folder.rename(name)
    folder.write(state)
    return state


def open_run(folder: RunFolder, state: RunState, tools: Tools, signals: Signals, display: Display) -> Run:
    """Return a new run with its log, whose first lines are where its results will be."""
    artifacts = Path(state.artifacts)
    make_artifacts(artifacts)
    log = BuildLog(artifacts / BUILD_LOG, now_s=time.time)
    run = Run(folder=folder, state=state, tools=tools, signals=signals, display=display, log=log, artifacts=artifacts)
    where = addresses(store_of(state), build_of(state), state.job) if state.claimed else ()
    for line in (*where, f"run:      {state.run} ({state.ref}), Kubernetes {state.version} ({state.version_source})"):
        run.recorder.note(line)
    return run
