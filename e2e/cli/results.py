"""``e2e results``: the verdict of a run."""

from __future__ import annotations

import click

from e2e.cli._options import run_argument


@click.command(name="results")
@run_argument
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(run: str | None, *, form: str) -> int:
    """Show a run's verdict and its failed cases, and exit with it: the newest run that has ended unless RUN is given."""
    import json
    import time

    from e2e.lifecycle.attach import find_run
    from e2e.lifecycle.report import condition, describe_run
    from e2e.lifecycle.summary import closing_lines
    from e2e.settings import current_settings
    from upload.errors import UsageError

    folder = find_run(current_settings().state, run, wanted=lambda state: state.is_ended)
    state, now_s = folder.read(), time.time()
    if not state.is_ended:
        raise UsageError(
            f"{state.run} has no verdict: {condition(folder, state, now_s=now_s)}", hint=f"e2e wait {state.run}"
        )
    described = describe_run(folder, state, now_s=now_s)
    if form == "json":
        click.echo(json.dumps(described, indent=2))
    else:
        for line in (state.run, *closing_lines(state, state.failures, state.tally)):
            click.echo(line)
        if described["results"]:
            click.echo(f"results: {described['results']}")
    return state.outcome.value.exit_code
