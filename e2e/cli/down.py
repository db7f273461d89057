"""``e2e down``: take a cluster down, or finish what a killed run began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from e2e.cli._job import JobParam
from e2e.cli._options import log_options, run_argument

if TYPE_CHECKING:
    from e2e.lifecycle.run import Run


@click.command(name="down")
@run_argument
@click.option("--resume", is_flag=True, help="Finish a killed run: dump, down, publish.")
@click.option("--abort", is_flag=True, help="With --resume: publish it as aborted, not as failed.")
@click.option("--if-killed", is_flag=True, help="With --resume: only a run that was killed; none is no error.")
@click.option("--job", metavar="JOB|FILE", type=JobParam(), help="RUN's folder is on another computer: go by marks.")
@log_options
def command(run: str | None, *, job: str | None, log_format: str, verbose: bool, **how: bool) -> int:
    """Dump a run's cluster and take it down; with --resume, also publish what the run came to.

    RUN is what `e2e up` or `e2e status` prints, or a JOB; without it the newest run that has something left.
    --resume exits with the verdict. A suite that had ended keeps its verdict, also with --abort.

    With --job nothing of RUN has to be here: what carries its mark is removed from where its config makes things.
    """
    from e2e.cli._later import find, find_for_removal, find_killed, go_on
    from e2e.lifecycle.attach import Later, adopt_claim, take_over

    resume, abort, if_killed = how["resume"], how["abort"], how["if_killed"]
    if (abort or if_killed) and not resume:
        raise click.UsageError(f"{'--abort' if abort else '--if-killed'} belongs to --resume")
    if job is not None:
        if run is None or resume:
            raise click.UsageError("--job goes with RUN, and without --resume")
        _elsewhere(run, job, log_format=log_format, verbose=verbose)
        return 0
    if if_killed and (run := find_killed(run)) is None:
        click.echo("nothing was killed", err=True)
        return 0
    name = find(run, lambda state: state.needs_work) if resume else find_for_removal(run)

    def finish(run_: Run) -> None:
        if run_.state.is_ended:  # nothing of it was killed
            _remove(run_)
            return
        run_.state = adopt_claim(run_.folder, run_.state)
        take_over(run_, aborts=abort)

    first = finish if resume else _remove
    done, code = go_on(name, Later("resume" if resume else "down"), log_format=log_format, verbose=verbose, first=first)
    if done.state.needs_publishing:
        click.echo(f"{done.state.run} is not published; try: e2e publish {done.state.run}", err=True)
    return code


def _elsewhere(run: str, job: str, *, log_format: str, verbose: bool) -> None:
    from e2e.lifecycle.attach import find_named
    from e2e.lifecycle.display import make_display
    from e2e.lifecycle.marked import take_down_elsewhere
    from e2e.settings import current_settings
    from providers.config import default_search, load_job
    from upload.errors import UsageError

    settings = current_settings()
    config = load_job(job, search=default_search()).config
    if find_named(settings.state, run):
        raise UsageError(f"the folder of {run} is here", hint=f"e2e down {run}")
    display = make_display(log_format, verbose=verbose)
    try:
        take_down_elsewhere(run, config, settings, display)
    finally:
        display.close()


def _remove(run: Run) -> None:
    from dataclasses import replace

    from e2e.lifecycle.state import Keep

    # what was dumped at the end of an earlier sequence is not the cluster of now
    run.change(
        lambda state: replace(state, keep=Keep.NEVER, finished_steps=() if state.is_ended else state.finished_steps)
    )
