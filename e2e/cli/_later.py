"""What the verbs share that go on with a run of an earlier process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e.lifecycle.attach import Later
    from e2e.lifecycle.run import Run
    from e2e.lifecycle.state import RunState


def find(ref: str | None, wanted: Callable[[RunState], bool]) -> str:
    """Return the name of the run that RUN means. Raises UsageError."""
    from e2e.lifecycle.attach import find_run
    from e2e.settings import current_settings

    return find_run(current_settings().state, ref, wanted=wanted).name


def find_for_removal(ref: str | None) -> str:
    """Return the name of the run that ``down`` means: with a cluster, else one that was killed while it had none.

    Raises: UsageError.
    """
    from upload.errors import UsageError

    try:
        return find(ref, lambda state: state.is_live)
    except UsageError:
        return find(ref, lambda state: not state.is_ended)


def find_killed(ref: str | None) -> str | None:
    """Return the name of the run that RUN means if it did not come to its end, None if there is none such."""
    from e2e.lifecycle.attach import find_run
    from e2e.settings import current_settings
    from upload.errors import UsageError

    try:
        folder = find_run(current_settings().state, ref, wanted=lambda state: not state.is_ended)
    except UsageError:
        return None
    return None if folder.read().is_ended else folder.name


def find_live(ref: str | None) -> str:
    """Return the name of the run with a cluster that RUN means. Raises UsageError when its cluster is gone."""
    from e2e.lifecycle.attach import find_run
    from e2e.settings import current_settings
    from upload.errors import UsageError

    folder = find_run(current_settings().state, ref, wanted=lambda state: state.is_live)
    if not folder.read().is_live:
        raise UsageError(f"{folder.name} has no cluster", hint=f"e2e status {folder.name}")
    return folder.name


def go_on(
    ref: str, later: Later, *, log_format: str, verbose: bool, first: Callable[[Run], None] = lambda _run: None
) -> tuple[Run, int]:
    """Do a sequence with a run and show how it ended; return the run and the exit code. ``first`` is done before it.

    What brings the run to its end ends as the run itself would have: with verdict and addresses.
    """
    from e2e.cli._options import say_ending
    from e2e.lifecycle.attach import attached
    from e2e.lifecycle.display import make_display
    from e2e.lifecycle.folder import RunFolder
    from e2e.lifecycle.sequence import WHOLE, conduct
    from e2e.lifecycle.summary import failure_lines
    from e2e.settings import current_settings

    settings = current_settings()
    display = make_display(log_format, verbose=verbose)
    try:
        with attached(RunFolder(settings.state / "runs" / ref), later, settings, display) as run:
            run.recorder.note(f"run: {run.state.run}")
            first(run)
            outcome = conduct(run, later.command)
            if later.command in WHOLE:
                return run, say_ending(run, outcome)
            for line in failure_lines(run.all_failures):
                run.recorder.note(line)
            return run, outcome.value.exit_code
    finally:
        display.close()
