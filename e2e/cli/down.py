"""``e2e down``: take a cluster down, or finish what a killed run began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from e2e.cli._options import log_options, run_argument

if TYPE_CHECKING:
    from e2e.lifecycle.run import Run


@click.command(name="down")
@run_argument
@click.option("--resume", is_flag=True, help="Finish a killed run: dump, down, publish.")
@click.option("--abort", is_flag=True, help="With --resume: publish it as aborted, not as failed.")
@log_options
def command(run: str | None, *, resume: bool, abort: bool, log_format: str, verbose: bool) -> int:
    """Dump a run's cluster and take it down; with --resume, also publish what the run came to.

    RUN is what `e2e up` or `e2e status` prints, or a JOB; without it the newest run that has something left.
    --resume exits with the verdict. A suite that had ended keeps its verdict, also with --abort.
    """
    from e2e.cli._later import find, find_for_removal, go_on
    from e2e.lifecycle.attach import Later, adopt_claim, take_over

    if abort and not resume:
        raise click.UsageError("--abort belongs to --resume")
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


def _remove(run: Run) -> None:
    from dataclasses import replace

    from e2e.lifecycle.state import Keep

    # what was dumped at the end of an earlier sequence is not the cluster of now
    run.change(
        lambda state: replace(state, keep=Keep.NEVER, finished_steps=() if state.is_ended else state.finished_steps)
    )
