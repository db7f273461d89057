"""``e2e contribute``: the files of the two pull requests by which dashboards learn of a party's jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from e2e.cli._job import JobParam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2e.contribution import Change

UPSTREAM = "https://github.com/kubernetes/test-infra"


@click.command(name="contribute")
@click.argument("jobs", metavar="JOB|FILE...", nargs=-1, required=True, type=JobParam())
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="A checkout of kubernetes/test-infra, which is changed in place, or a folder for new files.",
)
def command(jobs: tuple[str, ...], out: Path) -> None:
    """Write the files of two pull requests to kubernetes/test-infra.

    One adds the bucket to kettle/buckets.yaml, the other one the jobs to TestGrid, under config/testgrids/. Give all
    public jobs of the party: they share one file. Nothing is executed and no network is opened.
    """
    from e2e.contribution import contribution
    from providers.config import default_search
    from providers.config.problems import ConfigError
    from providers.config.review import review

    found = review(jobs, search=default_search())
    if found.problems:
        raise ConfigError(found.problems, hint="e2e check")
    asked = contribution([job.config for job in found.jobs], out)
    for change in asked.changes:
        _write(out / change.path, change)
        click.echo(f"{'as it was' if change.is_empty else 'new' if change.old is None else 'changed':<10}{change.path}")
    click.echo(f"\nTwo pull requests to {UPSTREAM}:", err=True)
    click.echo(f"  1. the bucket, for kettle and triage:  git add {_paths(asked.kettle)}", err=True)
    click.echo(f"  2. the tabs, for TestGrid:             git add {_paths(asked.testgrid)}", err=True)
    if not (out / ".git").exists():
        click.echo("A dashboard group that exists upstream is extended there:", err=True)
        click.echo(f"     try: e2e contribute {' '.join(jobs)} --out CHECKOUT", err=True)


def _paths(changes: Sequence[Change]) -> str:
    return " ".join(change.path for change in changes)


def _write(path: Path, change: Change) -> None:
    from upload.errors import UsageError

    if change.is_empty:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change.new)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
