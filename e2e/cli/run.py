"""``e2e run``: the whole sequence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from e2e.cli._job import JobParam
from e2e.cli._options import log_options, say_ending, suite_options

if TYPE_CHECKING:
    from e2e.lifecycle.begin import Order

KEEP = ("never", "on-failure", "always")


@click.command(name="run")
@click.argument("job", type=JobParam())
@click.option("--results", metavar="URI", help="Root of the store: gs://BUCKET, file:///FOLDER or a folder.")
@click.option(
    "--build", default="", metavar="ID", help="Build id: an integer of the job's width. Default: the time, in UTC."
)
@click.option("--pull", default="", metavar="ORG_REPO/NUMBER", help="Pull request that is tested, or batch.")
@click.option("--artifacts", type=click.Path(path_type=Path), metavar="DIR", help="Empty folder for artifacts.")
@click.option("--keep", type=click.Choice(KEEP), help="When the cluster stays up. Default: what the config says.")
@click.option("--offline", is_flag=True, help="Open no network; a version that must be looked up is the pinned one.")
@click.option("--untrusted", is_flag=True, help="Refuse a config that has anything executed or needs credentials.")
@click.option(
    "--env-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write RUN and its addresses there once it has begun, as KEY=VALUE lines for a CI.",
)
@click.option("--dry-run", is_flag=True, help="Print the steps, versions and uploads; change nothing.")
@suite_options
@log_options
def command(job: str, *, dry_run: bool, env_file: Path | None, log_format: str, verbose: bool, **options: Any) -> int:
    """Bring a cluster up, test it, dump, take it down, publish.

    JOB is a config's file name without .yaml or its job: value, FILE a path. The exit code is the verdict: 0 passed,
    1 a case failed, 2 usage, 3 provider, 4 results, 5 a bug of ours, 124 deadline, 130 signal.

    \b
    e2e run local --focus 'Deployment.*roll'
    """  # noqa: D301  # click wants the character, not its name
    from e2e.lifecycle.addresses import write_env_file
    from e2e.lifecycle.begin import begun
    from e2e.lifecycle.display import make_display
    from e2e.lifecycle.sequence import conduct
    from e2e.settings import current_settings

    settings = current_settings()
    order = _order(job, options)
    if dry_run:
        from e2e.cli._looking import brief_patience
        from e2e.lifecycle.preview import preview

        for planned in preview(order, settings, verbose=verbose, patience=brief_patience()):
            click.echo(planned.json() if log_format == "json" else planned.line())
        return 0
    display = make_display(log_format, verbose=verbose)
    try:
        with begun(order, settings, display) as run:
            if env_file is not None:
                write_env_file(env_file, run)
            return say_ending(run, conduct(run, "run"))
    finally:
        display.close()


def _order(ref: str, options: dict[str, Any]) -> Order:
    from e2e.lifecycle.begin import Order
    from e2e.lifecycle.overrides import SuiteChanges
    from e2e.lifecycle.state import Keep
    from e2e.lifecycle.untrusted import refuse_trust
    from providers.config import default_search, load_job
    from upload.store import open_store

    loaded = load_job(ref, search=default_search())
    if options["untrusted"]:
        refuse_trust(loaded.config)
    names = ("preset", "select", "focus", "skip", "workers")
    job = SuiteChanges(**{name: options[name] for name in names}).apply(loaded.config)
    return Order(
        ref=ref,
        job=job,
        command="run",
        keep=Keep(options["keep"] or job.defaults.keep),
        store=open_store(options["results"] or job.results.store).uri,
        build=options["build"],
        artifacts=options["artifacts"],
        test_s=options["timeout"],
        offline=options["offline"],
        pull=options["pull"],
    )
