"""``e2e doctor``: what a run needs of this machine."""

from __future__ import annotations

import click


@click.command(name="doctor")
@click.option("--results", metavar="URI", help="Store to look at. Default: the one of the job local.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(*, results: str | None, form: str) -> int:
    """Check this machine: Python, folders, disk, Go, credentials, store. Each problem names the command that mends it.

    Exits with 2 when something would stop a run, with 4 when only the store would.
    """
    import json
    from dataclasses import asdict

    from e2e.cli._looking import brief_patience
    from e2e.lifecycle.doctor import Level, examine
    from e2e.settings import current_settings

    checks = []
    for check in examine(current_settings(), results or _store_of_local(), patience=brief_patience()):
        checks.append(check)
        if form == "text":
            click.echo(f"{check.level:<5} {check.name:<12} {check.said}")
            if check.hint and check.level is not Level.OK:
                click.echo(f"{'':18} try: {check.hint}")
    if form == "json":
        click.echo(json.dumps([{**asdict(check), "outcome": check.outcome.name.lower()} for check in checks], indent=2))
    failed = [check.outcome.value.exit_code for check in checks if check.level is Level.FAIL]
    return min(failed, default=0)


def _store_of_local() -> str:
    from providers.config import default_search, load_job
    from upload.errors import UsageError

    try:
        return load_job("local", search=default_search()).config.results.store
    except UsageError:
        return "_results/bucket"
