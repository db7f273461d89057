"""``e2e test``: the suite against a cluster that is up."""

from __future__ import annotations

from typing import Any

import click

from e2e.cli._options import log_options, run_argument, suite_options


@click.command(name="test")
@run_argument
@suite_options
@log_options
def command(run: str | None, *, timeout: int | None, log_format: str, verbose: bool, **changes: Any) -> int:
    """Run the suite against a cluster that is up.

    RUN is what `e2e up` printed, or a JOB; without it the newest run whose cluster is up.
    """
    from e2e.cli._later import find_live, go_on
    from e2e.lifecycle.attach import Later
    from e2e.lifecycle.overrides import SuiteChanges
    from e2e.lifecycle.summary import case_lines, rerun_command, tally_text

    name = find_live(run)
    later = Later("test", edit_job=SuiteChanges(**changes).apply, test_s=timeout)
    done, code = go_on(name, later, log_format=log_format, verbose=verbose)
    for line in (tally_text(done.tally), *case_lines(done.artifacts, done.tally)):
        click.echo(line)
    if done.tally.failed:
        click.echo(f"artifacts: {done.artifacts}")
        click.echo(f"again: {rerun_command(done.state, done.tally, is_kept=True)}")
    return code
