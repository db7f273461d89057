"""``e2e status``: runs and what they left."""

from __future__ import annotations

import click

from e2e.cli._options import run_argument

SHOWN_ENDED = 5


@click.command(name="status")
@run_argument
@click.option("--all", "show_all", is_flag=True, help="Also every run that ended long ago.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(run: str | None, *, show_all: bool, form: str) -> None:
    """Show runs and what they left: who works on them, clusters that are up and until when, what to do.

    RUN is a run or a JOB. Without it: what needs work or is kept, and the last few that ended.
    """
    import json
    import time

    from e2e.lifecycle.attach import all_runs, find_run, unreadable_runs
    from e2e.lifecycle.report import describe_run, table
    from e2e.settings import current_settings

    state_dir, now_s = current_settings().state, time.time()
    found = all_runs(state_dir)
    for name in unreadable_runs(state_dir):
        where = state_dir / "runs" / name
        click.echo(f"{name}: its state cannot be read; its cluster may be up: look into {where}", err=True)
    if run is not None:
        folder = find_run(state_dir, run, wanted=lambda _state: True)
        found = ((folder, folder.read()),)
    elif not show_all:
        ended = [each for each in found if not each[1].needs_work][:SHOWN_ENDED]
        found = tuple(each for each in found if each[1].needs_work or each in ended)
    described = [describe_run(folder, state, now_s=now_s) for folder, state in found]
    if form == "json":
        click.echo(json.dumps({"runs": described}, indent=2))
        return
    for line in table(found, now_s=now_s):
        click.echo(line)
    if run is not None:
        for step in described[0]["steps"]:
            click.echo(f"  {'FAILED' if step['failed'] else 'done  '} {step['seconds']:8.1f} s  {step['name']}")
        for key in ("version", "build", "artifacts", "results"):
            click.echo(f"  {key}: {described[0][key] or '-'}")
    elif not found:
        click.echo("no runs", err=True)
