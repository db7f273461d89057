"""``e2e results``: the verdict of a run; ``e2e results init`` sets up a bucket for results."""

from __future__ import annotations

from typing import Any

import click

from e2e.cli._options import run_argument


class _ShowByDefault(click.Group):
    """A group whose first word may be left out: ``e2e results RUN`` is ``e2e results show RUN``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the word in where it was left out."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(name="results", cls=_ShowByDefault)
def command() -> None:
    """Show a run's verdict and its failed cases.

    \b
    e2e results [RUN]              the same as e2e results show [RUN]
    e2e results init gs://BUCKET   make a bucket for results
    """  # noqa: D301  # click wants the character, not its name


@command.command("show")
@run_argument
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(run: str | None, *, form: str) -> int:
    """Show a run's verdict and its failed cases, and exit with it: the newest run that has ended unless RUN is given."""
    import json
    import time

    from e2e.lifecycle.attach import all_runs, find_run
    from e2e.lifecycle.report import condition, describe_run
    from e2e.lifecycle.summary import closing_lines
    from e2e.settings import current_settings
    from upload.errors import UsageError

    runs = current_settings().state
    folder = find_run(runs, run, wanted=lambda state: state.is_ended)
    state, now_s = folder.read(), time.time()
    for other, newer in all_runs(runs) if run != state.run else ():
        if newer.job_name == state.job_name and newer.started_s > state.started_s:
            click.echo(f"e2e: {newer.run} is newer: {condition(other, newer, now_s=now_s)}", err=True)
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


@command.command("init")
@click.argument("uri", metavar="gs://BUCKET")
@click.option("--location", default="US", show_default=True, help="Where the bucket lies.")
@click.option("--project", default="", help="Project that pays for it. Default: that of the credentials.")
@click.option(
    "--keep-days", type=click.IntRange(0, 36500), default=0, help="Delete objects of this age. Default: never."
)
@click.option("--check", is_flag=True, help="Only compare the bucket; exit with 4 when it differs.")
@click.option("--dry-run", is_flag=True, help="Print the commands that make the bucket; do nothing.")
def init(uri: str, *, project: str, check: bool, dry_run: bool, **wanted: Any) -> int:
    """Make a bucket for results: uniform access, readable and listable by everybody, CORS for ranges, lifecycle.

    A bucket that is there is never changed: it is compared, and what differs is told with the command that changes it.
    """
    from upload.bucket_setup import BucketPlan, commands, differences
    from upload.errors import Outcome, StoreError
    from upload.store import bucket_name
    from upload.store.gcs_bucket import GcsBucket

    plan = BucketPlan(bucket_name(uri), **wanted)
    if dry_run:
        for line in commands(plan, project):
            click.echo(line)
        return 0
    bucket = GcsBucket(plan.name, project=project)
    state = bucket.state()
    if state is None and check:
        raise StoreError(f"gs://{plan.name}", 404, "there is no such bucket", hint=f"e2e results init gs://{plan.name}")
    if state is None:
        bucket.create(plan)
        click.echo(f"made       gs://{plan.name}")
        return 0
    differing = differences(plan, state)
    for each in differing:
        click.echo(f"differs    {each.what}\n           try: {each.command}")
    if not differing:
        click.echo(f"as it should be: gs://{plan.name}")
    return Outcome.RESULTS.value.exit_code if differing else 0
