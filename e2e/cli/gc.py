"""``e2e gc``: expired clusters of this machine's runs."""

from __future__ import annotations

import click

from e2e.cli._options import log_options


@click.command(name="gc")
@click.option("--yes", is_flag=True, help="Dump and remove them.")
@log_options
def command(*, yes: bool, log_format: str, verbose: bool) -> int:
    """List expired clusters and what is left of them; --yes removes them.

    Only runs of this state folder are looked at, and only what carries their mark is removed. Processes whose run was
    deleted from it by hand are listed too. Runs that ended a month ago and left nothing are forgotten.
    """
    import time

    from e2e.lifecycle.display import make_display
    from e2e.lifecycle.gc import end_lost, expired_runs, forget_old, look_at, lost_processes, remove
    from e2e.settings import current_settings
    from providers.process import describe, marked
    from upload.errors import Outcome

    settings, worst = current_settings(), Outcome.PASSED
    display = make_display(log_format, verbose=verbose)
    try:
        found = look_at(expired_runs(settings.state, now_s=time.time()), settings, display)
        for each in found:
            click.echo(f"{each.folder.name}: {', '.join(each.left) or 'nothing left'}")
            if yes:
                outcome = remove(each.folder, settings, display)
                worst = worst if outcome is Outcome.PASSED else outcome
        lost = lost_processes(settings.state)
        for name, mark in lost:
            click.echo(f"{name}: its folder is gone: {', '.join(map(describe, marked(mark)))}")
            if yes:
                end_lost(mark)
    finally:
        display.close()
    if yes:
        forget_old(settings.state, now_s=time.time())
    elif found or lost:
        click.echo("e2e gc --yes removes them", err=True)
    return worst.value.exit_code
