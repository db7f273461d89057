"""Which runs of this state folder have expired, what is left of them, and how they go."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from e2e.lifecycle.attach import Found, Later, all_runs, attached
from e2e.lifecycle.display import Display
from e2e.lifecycle.folder import STATE, RunFolder
from e2e.lifecycle.run import MARK, Run
from e2e.lifecycle.sequence import conduct
from e2e.lifecycle.state import Keep
from e2e.settings import Settings
from providers import process
from providers.contracts import Deadline
from providers.kwok import WORKDIR
from providers.process import Mark
from upload.errors import HarnessError, Outcome

REMEMBERED_S = 30 * 24 * 3600  # how long a run that has ended is known to `status` and `results`
LOOK_S = 60.0


@dataclass(frozen=True, slots=True)
class Expired:
    """A run whose cluster nobody should need any more. ``left``: what its provider still finds, or why it cannot say."""

    folder: RunFolder
    left: tuple[str, ...]


def expired_runs(state_dir: Path, *, now_s: float) -> tuple[Found, ...]:
    """Return the runs that may have a cluster, are past their expiry, and that no process works on."""
    return tuple(
        (folder, state)
        for folder, state in all_runs(state_dir)
        if state.is_live and state.expires_s <= now_s and not folder.is_held()
    )


def look_at(runs: Sequence[Found], settings: Settings, display: Display) -> tuple[Expired, ...]:
    """Return what is left of each run."""
    found = []
    for folder, _state in runs:
        try:
            with attached(folder, Later("gc"), settings, display) as run:
                context = run.context(Deadline.after(LOOK_S, "looking for leftovers"))
                left = tuple(f"{each.kind} {each.name}" for each in run.tools.provider.leftovers(context))
        except HarnessError as error:
            left = (f"unknown: {error}",)
        found.append(Expired(folder, left))
    return tuple(found)


def lost_processes(state_dir: Path) -> tuple[tuple[str, Mark], ...]:
    """Return the marks of living processes whose run is not in the state folder any more, with the runs' names.

    Somebody removed it by hand; the mark still says where it was.
    """
    roots = {state_dir / "runs", (state_dir / "runs").resolve()}
    found = []
    for mark in sorted({*process.marks(MARK), *process.marks(WORKDIR)}, key=lambda each: each.value):
        for root in roots & set(Path(mark.value).parents):
            name = Path(mark.value).relative_to(root).parts[0]
            if not (root / name / STATE).exists():
                found.append((name, mark))
    return tuple(found)


def end_lost(mark: Mark) -> None:
    """End the processes of a run that is lost. Raises ProviderError naming those that do not go away."""
    process.end(mark, deadline=Deadline.after(LOOK_S, "ending processes"))


def remove(folder: RunFolder, settings: Settings, display: Display) -> Outcome:
    """Dump and take down one run's cluster."""

    def give_up(run: Run) -> None:
        run.change(lambda state: replace(state, keep=Keep.NEVER, finished_steps=()))

    with attached(folder, Later("down"), settings, display) as run:
        give_up(run)
        return conduct(run, "down")


def forget_old(state_dir: Path, *, now_s: float) -> tuple[str, ...]:
    """Remove what is remembered of runs that ended long ago and left nothing; return their names."""
    gone = []
    for folder, state in all_runs(state_dir):
        is_old = state.is_ended and state.ended_s + REMEMBERED_S < now_s
        if is_old and not state.needs_work and not folder.is_held():
            shutil.rmtree(folder.path, ignore_errors=True)
            gone.append(folder.name)
    return tuple(gone)
