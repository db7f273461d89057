"""``e2e up``: a cluster that stays."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from e2e.cli._job import JobParam
from e2e.cli._options import log_options

if TYPE_CHECKING:
    from e2e.lifecycle.display import Display
    from e2e.lifecycle.run import Run
    from e2e.settings import Settings


@click.command(name="up")
@click.argument("job", type=JobParam(), metavar="JOB|FILE|RUN")
@click.option("--offline", is_flag=True, help="Open no network; a version that must be looked up is the pinned one.")
@log_options
def command(job: str, *, offline: bool, log_format: str, verbose: bool) -> int:
    """Bring a cluster up and leave it. Prints the RUN that test, dump, down and kubeconfig take.

    Nothing is published. A cluster that does not come up is dumped and taken down again. The RUN of an `e2e up` that was
    killed, instead of a JOB, goes on where it was.

    \b
    e2e up local && e2e test --focus Deployment && e2e down
    """  # noqa: D301  # click wants the character, not its name
    from e2e.lifecycle.display import make_display
    from e2e.lifecycle.sequence import conduct
    from e2e.lifecycle.summary import failure_lines
    from e2e.settings import current_settings
    from upload.errors import Outcome

    settings = current_settings()
    display = make_display(log_format, verbose=verbose)
    try:
        with _run_of(job, settings, display, offline=offline) as run:
            outcome = conduct(run, "up")
            for line in failure_lines(run.all_failures):
                run.recorder.note(line)
    finally:
        display.close()
    if outcome is Outcome.PASSED:
        click.echo(run.state.run)
    return outcome.value.exit_code


def _run_of(ref: str, settings: Settings, display: Display, *, offline: bool) -> AbstractContextManager[Run]:
    """Return the interrupted run of that name, or a new one of the job. Raises UsageError for a run that is no `up`."""
    from e2e.lifecycle.attach import Later, attached, find_named
    from e2e.lifecycle.begin import Order, begun
    from e2e.lifecycle.state import Keep
    from providers.config import default_search, load_job
    from upload.errors import UsageError

    folder = find_named(settings.state, ref)
    if folder is None:
        loaded = load_job(ref, search=default_search())
        order = Order(ref=ref, job=loaded.config, command="up", keep=Keep.ON_SUCCESS, offline=offline)
        return begun(order, settings, display)
    state = folder.read()
    if state.command != "up":
        raise UsageError(f"{state.run} was begun by e2e {state.command}", hint=f"e2e down {state.run} --resume")
    if state.is_ended and not state.is_live:
        raise UsageError(f"{state.run} has ended", hint=f"e2e up {state.ref}")
    return attached(folder, Later("up"), settings, display)
