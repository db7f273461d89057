"""``e2e gc``: what expired and what was lost: of this machine's runs, at a provider, in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from e2e.cli._job import JobParam
from e2e.cli._options import log_options

if TYPE_CHECKING:
    from e2e.lifecycle.display import Display
    from e2e.settings import Settings
    from providers.config.model import JobConfig


@click.command(name="gc")
@click.argument("jobs", metavar="[JOB|FILE]...", nargs=-1, type=JobParam())
@click.option("--yes", is_flag=True, help="Do it: dump and remove, or finish.")
@click.option("--provider", metavar="NAME", help="Look at what anybody's runs made there, by their marks.")
@click.option("--finish-orphans", is_flag=True, help="Look for builds whose runner was lost.")
@click.option("--results", metavar="URI", help="With --finish-orphans: root of the store.")
@log_options
def command(*, jobs: tuple[str, ...], yes: bool, log_format: str, verbose: bool, **options: Any) -> int:
    """List expired clusters and what is left of them; --yes removes them.

    Only runs of this state folder are looked at, and only what carries their mark is removed. Processes whose run was
    deleted from it by hand are listed too. Runs that ended a month ago and left nothing are forgotten.

    With --provider it is what carries the mark of any run and has expired, wherever it ran: in the places that the
    configs of that provider name. With --finish-orphans it is builds of the last month that are past all their time
    and have no finished.json; with --yes they get one, ABORTED. JOB and FILE say which configs, by default all.
    """
    from e2e.lifecycle.display import make_display
    from e2e.settings import current_settings

    provider, finish_orphans, results = (options[name] for name in ("provider", "finish_orphans", "results"))
    if jobs and not (provider or finish_orphans):
        raise click.UsageError("JOB belongs to --provider or --finish-orphans")
    if provider and finish_orphans:
        raise click.UsageError("--provider and --finish-orphans are two things to do")
    if results and not finish_orphans:
        raise click.UsageError("--results belongs to --finish-orphans")
    settings, display = current_settings(), make_display(log_format, verbose=verbose)
    try:
        if provider:
            return _at_provider(provider, _configs(jobs), settings, yes=yes)
        if finish_orphans:
            return _in_stores(_configs(jobs), results, yes=yes)
        return _here(settings, display, yes=yes)
    finally:
        display.close()


def _here(settings: Settings, display: Display, *, yes: bool) -> int:
    import time

    from e2e.lifecycle.gc import end_lost, expired_runs, forget_old, look_at, lost_processes, remove
    from providers.process import describe, marked
    from upload.errors import Outcome

    worst = Outcome.PASSED
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
    if yes:
        forget_old(settings.state, now_s=time.time())
    elif found or lost:
        click.echo("e2e gc --yes removes them", err=True)
    return worst.value.exit_code


def _at_provider(provider: str, jobs: tuple[JobConfig, ...], settings: Settings, *, yes: bool) -> int:
    import datetime as dt
    import time

    from e2e.lifecycle.marked import by_run, places_of
    from upload.errors import HarnessError, raise_all
    from upload.layout import printable

    errors: list[Exception] = []
    now_s = time.time()
    is_any = False
    for place in places_of(jobs, provider, settings):
        try:
            found = by_run(place.expired(now_s))
            for (run, owner, expires_s), names in found.items():
                since = dt.datetime.fromtimestamp(min(expires_s, now_s), tz=dt.UTC)
                who = f"{printable(run)} of {printable(owner)}, expired {since:%Y-%m-%dT%H:%MZ}"
                click.echo(f"{place.name}: {who}: {', '.join(map(printable, names))}")
            is_any = is_any or bool(found)
            if yes and found:
                place.remove_expired(now_s)
        except HarnessError as error:  # keeps no other place from being looked at
            errors.append(error)
    raise_all("looking for what expired", errors)
    if is_any and not yes:
        click.echo(f"e2e gc --provider {provider} --yes removes them", err=True)
    return 0


def _in_stores(jobs: tuple[JobConfig, ...], results: str | None, *, yes: bool) -> int:
    import time

    from e2e.cli._looking import brief_patience
    from e2e.lifecycle.orphans import find_orphans, finish
    from upload.errors import HarnessError, raise_all
    from upload.layout import build_paths
    from upload.store import open_store

    errors: list[Exception] = []
    now_s, is_any = int(time.time()), False
    for job in jobs:
        try:
            store = open_store(results or job.results.store, patience=brief_patience())
            for orphan in find_orphans(job, store, now_s=now_s):
                is_any = True
                click.echo(store.uri_of(build_paths(orphan.build).folder))
                if yes:
                    finish(orphan, store, now_s=now_s)
        except HarnessError as error:  # of one job, or its store
            errors.append(error)
    raise_all("looking for orphans", errors)
    if is_any and not yes:
        click.echo("e2e gc --finish-orphans --yes finishes them as aborted", err=True)
    return 0


def _configs(refs: tuple[str, ...]) -> tuple[JobConfig, ...]:
    """Return the configs that are named, or all that can be used. Raises: UsageError for a named one that cannot."""
    from providers.config import default_search, load_job
    from providers.config.review import review

    search = default_search()
    if refs:
        return tuple(load_job(ref, search=search).config for ref in refs)
    return tuple(job.config for job in review((), search=search).jobs)
