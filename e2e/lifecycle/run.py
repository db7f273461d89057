"""One run while a process works on it: its state on disk, its log, and what its steps need."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.lifecycle.budget import Budget
from e2e.lifecycle.buildlog import BuildLog
from e2e.lifecycle.display import Display
from e2e.lifecycle.folder import RunFolder
from e2e.lifecycle.signals import Signals
from e2e.lifecycle.state import NO_TALLY, Failure, RunState, Tally
from e2e.lifecycle.steps import Books, Recorder, headline, outcome_of
from e2e.settings import Settings
from providers.contracts import Binaries, ClusterSpec, Context, Deadline, Provider
from providers.process import Mark
from upload.errors import HarnessError, Outcome
from upload.model import StepRecord

if TYPE_CHECKING:
    from providers.config.model import JobConfig

CLUSTER = "c1"
MARK = "E2E_RUN_FOLDER"  # what a tester's processes carry, so that a later process finds those of a killed one


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run works with.

    ``make_binaries``: gives the programs, told the folder for those that are built from a checkout. ``unresolved``: why
    there is no version, or why it does not go together with others; the run then ends in its first step.
    """

    settings: Settings
    job: JobConfig
    provider: Provider
    spec: ClusterSpec
    owns_cluster: bool
    make_binaries: Callable[[Path], Binaries]
    budget: Budget
    unresolved: HarnessError | None = None


@dataclass(slots=True)
class Run:
    """A run that goes on. Only the process that holds the folder's lock has one.

    ``state`` is on disk after every ``change``. ``failures`` are those of this process. ``before`` are those of earlier
    ones: they come first where the run goes on (``resumes``), and are only kept where another command is done.
    ``saves_verdict``: false once the build is published, which nothing changes any more; what is done then has a folder
    of its own for ``artifacts``. ``tally``: of the last suite.
    """

    folder: RunFolder
    state: RunState
    tools: Tools
    signals: Signals
    display: Display
    log: BuildLog
    artifacts: Path
    before: tuple[Failure, ...] = ()
    resumes: bool = False
    saves_verdict: bool = True
    failures: tuple[Failure, ...] = ()
    tally: Tally = NO_TALLY
    now_s: Callable[[], float] = time.time
    recorder: Recorder = field(init=False)
    binaries: Binaries = field(init=False)

    def __post_init__(self) -> None:
        """Open the books; they go on behind the steps of an earlier process."""
        books = Books(self.display, self.log.line, self._save_steps, self.signals.held)
        self.tally = self.state.tally
        self.binaries = self.tools.make_binaries(self.folder.built)
        self.recorder = Recorder(books, records=list(self.state.steps), now_s=self.now_s)
        self.signals.on_signal = self._take_signal
        self.signals.farewell = self._farewell

    @property
    def all_failures(self) -> tuple[Failure, ...]:
        """The failures that count for what is being done, in the order they came."""
        return (*self.before, *self.failures) if self.resumes else self.failures

    @property
    def outcome(self) -> Outcome:
        """What is being done came to this, by the first failure."""
        return self.all_failures[0].outcome if self.all_failures else Outcome.PASSED

    @property
    def mark(self) -> Mark:
        """How the processes of a tester are found again."""
        return Mark(MARK, str(self.folder.path))

    def change(self, edit: Callable[[RunState], RunState]) -> None:
        """Change the state, in memory and on disk. A full disk must not keep a cluster from being taken down."""
        with self.signals.held():
            self.state = edit(self.state)
            try:
                self.folder.write(self.state)
            except HarnessError as error:
                self.display.note(f"{error}; going on without")

    def fail(self, step: str, error: BaseException) -> None:
        """Add what went wrong. A bug of ours leaves its traceback in the build log."""
        if not isinstance(error, HarnessError):
            self.log.line("".join(traceback.format_exception(error)))
        hint = error.hint if isinstance(error, HarnessError) else "report it with the traceback in build-log.txt"
        self.add_failure(Failure(step, outcome_of(error), headline(error), hint))

    def add_failure(self, failure: Failure) -> None:
        """Add a failure behind those that are there."""
        with self.signals.held():
            self.failures = (*self.failures, failure)
            if self.saves_verdict:
                self.change(lambda state: replace(state, failures=(*self.before, *self.failures)))

    def forgive(self, step: str) -> None:
        """Drop the failures of a step that has succeeded in the end."""
        self.before = tuple(each for each in self.before if each.step != step)
        self.failures = tuple(each for each in self.failures if each.step != step)
        self.change(lambda state: replace(state, failures=tuple(f for f in state.failures if f.step != step)))

    def context(self, deadline: Deadline) -> Context:
        """Return what the provider is given in a step."""
        folder = self.folder.cluster_folder(CLUSTER)
        folder.mkdir(mode=0o700, exist_ok=True)
        return Context(
            run=self.state.run,
            cluster=CLUSTER,
            folder=folder,
            owner=self.state.owner,
            expires_s=self.state.expires_s,
            deadline=deadline,
            steps=self.recorder,
            binaries=self.binaries,
            keep_secret=self.folder.keep_secret,
            variables=self.tools.settings.variables_for(self.tools.provider),
        )

    def _take_signal(self, count: int) -> None:
        """Write it down first, since a CI may kill us soon; then say what happens."""
        self.change(lambda state: replace(state, signals=count))
        said = {1: "stopping; a second signal skips the dump, a third leaves at once", 2: "skipping the dump"}
        self.recorder.note(f"signal {self.signals.received[count - 1]}: {said.get(count, 'leaving')}")

    def _farewell(self) -> str:
        run, step = self.state.run, self.state.step or "between steps"
        if not self.state.needs_work:
            return f"e2e: left {run} at once"
        left = "its cluster may be up, its results are not published"
        return f"e2e: left {run} at once ({step}): {left}\n     try: e2e down {run} --resume --abort"

    def _save_steps(self, steps: tuple[StepRecord, ...]) -> None:
        if self.saves_verdict:
            self.change(lambda state: replace(state, steps=steps))
