"""``e2e check``: everything that is wrong with job configs, all at once. Executes nothing that a config says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from e2e.cli._job import JobParam
from upload.errors import Outcome

if TYPE_CHECKING:
    from e2e.config_changes import JobChange
    from providers.config.review import Review
    from providers.lookout import Looked


@click.command(name="check")
@click.argument("jobs", metavar="[JOB|FILE]...", nargs=-1, type=JobParam())
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "github", "sarif"]), default="text", show_default=True
)
@click.option("--resolved", is_flag=True, help="Print every value of the valid ones with the line it comes from.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a config, for editors, and check nothing.")
@click.option("--online", is_flag=True, help="Also ask the provider and the store what a run would meet.")
@click.option("--diff", "base", metavar="BASE", help="Also tell what the change since this git commit does.")
@click.pass_context
def command(ctx: click.Context, /, jobs: tuple[str, ...], form: str, base: str | None, **asked: bool) -> None:
    """Check job configs; say everything that is wrong.

    JOB is a config's file name without .yaml or its job: value, FILE a path. Without any, all configs that are found
    are checked. Exits with 2 if anything is wrong. Nothing is executed and no network is opened, but with --online:
    credentials, permissions, quotas and what else a run needs are then looked at where the config points, and nothing
    is created. With --diff, jobs that come, go or change are told, with their bucket, TestGrid tab and cost of a month.
    On GitHub (--format github) the same is the summary of the workflow's step.
    """
    import json
    from dataclasses import asdict

    from e2e.config_changes import as_json as change_json
    from e2e.config_changes import as_text
    from providers.config import default_search
    from providers.config.review import review

    resolved, online = asked["resolved"], asked["online"]
    if asked["schema"]:
        from providers.config.schema import job_schema

        click.echo(json.dumps(job_schema(), indent=2))
        return
    if form in ("github", "sarif") and (resolved or online):
        raise click.UsageError(f"--format {form} holds problems only: not with --resolved or --online")
    if base is not None and (jobs or form == "sarif"):
        raise click.UsageError("--diff compares all configs: not with JOB, and not with --format sarif")
    found = review(jobs, search=default_search())
    changed = None if base is None else _changes_since(base, found)
    looked = _look_ahead(found) if online else {}
    if form == "json":
        shown = _as_json(found, resolved=resolved)
        told = {path: [asdict(each) for each in checks] for path, checks in looked.items()}
        shown |= {"online": told} if online else {}
        shown |= {} if changed is None else {"diff": [change_json(each) for each in changed]}
        click.echo(json.dumps(shown, indent=2))
    elif form in ("github", "sarif"):
        from e2e.cli._problem_formats import as_github, as_sarif

        click.echo(
            (as_github if form == "github" else as_sarif)(found.problems), nl=form == "sarif" or bool(found.problems)
        )
        if changed is not None:
            _summarize(found, changed)
    else:
        _print_looked(looked)
        _print(found, resolved=resolved, failed=sum(not each.is_ok for checks in looked.values() for each in checks))
        if changed is not None:
            click.echo("\n".join([f"since {base}:", *as_text(changed)]) if changed else f"since {base}: no job changes")
    if found.problems or not all(each.is_ok for checks in looked.values() for each in checks):
        ctx.exit(Outcome.USAGE.value.exit_code)


def _changes_since(base: str, found: Review) -> tuple[JobChange, ...]:
    from e2e.base_configs import find_checkout
    from e2e.config_changes import changes, jobs_of
    from e2e.settings import current_settings
    from providers.config.review import review

    here = find_checkout(found.search, current_settings().variables)
    with here.at(base) as there:
        before = jobs_of(review((), search=there.folders), there.root)
    return changes(before, jobs_of(review((), search=here.folders), here.root))


def _summarize(found: Review, changed: tuple[JobChange, ...]) -> None:
    """Append to the summary of a GitHub step, if this is one; else to what is printed."""
    from pathlib import Path

    from e2e.config_changes import as_markdown
    from e2e.settings import current_settings
    from upload.errors import UsageError

    count = len(found.problems)
    told = f"### Job configs: {count} problem{'s' * (count != 1)}\n\n{as_markdown(changed)}\n"
    path = current_settings().variables.get("GITHUB_STEP_SUMMARY")
    if not path:
        click.echo(told, nl=False)
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(told)
    except OSError as error:
        raise UsageError(f"GITHUB_STEP_SUMMARY: {path}: {error.strerror}") from error


def _look_ahead(found: Review) -> dict[str, tuple[Looked, ...]]:
    from e2e.cli._looking import brief_patience
    from e2e.lifecycle.preflight import look_ahead
    from e2e.settings import current_settings
    from providers.config.document import shown_path

    settings = current_settings()
    return {
        shown_path(job.path): tuple(look_ahead(job.config, settings, patience=brief_patience())) for job in found.jobs
    }


def _print_looked(looked: dict[str, tuple[Looked, ...]]) -> None:
    for path, checks in looked.items():
        for each in checks:
            click.echo(f"{path}: {'ok' if each.is_ok else 'fail':<4}  {each.name}: {each.said}")
            if each.mend:
                click.echo(f"{'':{len(path) + 8}}try: {each.mend}")


def _print(found: Review, *, resolved: bool, failed: int) -> None:
    if resolved:
        for section in _resolved(found).values():
            for value in section:
                click.echo(f"{value['key']}: {value['text']}  # {value['origin']}")
            click.echo()
    for problem in found.problems:
        click.echo(str(problem))
    for path, costs in _costs(found).items():
        click.echo(f"{path}: {costs}")
    configs = f"{len(found.files)} config{'s' * (len(found.files) != 1)}"
    count = len(found.problems)
    verdict = f"{count} problem{'s' * (count != 1)}" if count else "nothing wrong"
    if failed:
        where = "it" if len(found.files) == 1 else "them"
        verdict += f" in {where}, {failed} online check{'s' * (failed != 1)} failed"
    click.echo(f"{configs} checked: {verdict}", err=True)


def _costs(found: Review) -> dict[str, str]:
    """Return file -> what a run of it costs at most, for providers that say so."""
    from e2e.lifecycle.costs import estimate
    from providers.config.document import shown_path
    from providers.registry import make_provider

    told = {}
    for job in found.jobs:
        choice = job.config.provider
        if costs := estimate(make_provider(choice.name, choice.settings), job.config):
            told[shown_path(job.path)] = costs
    return told


def _as_json(found: Review, *, resolved: bool) -> dict[str, Any]:
    from providers.config.document import shown_path

    shown: dict[str, Any] = {
        "files": [shown_path(path) for path in found.files],
        "jobs": {shown_path(job.path): job.config.job for job in found.jobs},
        "costs": _costs(found),
        "problems": [problem.to_json() for problem in found.problems],
    }
    if resolved:
        shown["resolved"] = {
            path: {value["key"]: {"value": value["value"], "origin": value["origin"]} for value in section}
            for path, section in _resolved(found).items()
        }
    return shown


def _resolved(found: Review) -> dict[str, list[dict[str, Any]]]:
    from providers.config.document import shown_path
    from providers.config.resolved import resolved_values

    return {
        shown_path(job.path): [
            {"key": v.key, "value": v.value, "origin": v.origin, "text": v.text()} for v in resolved_values(job)
        ]
        for job in found.jobs
    }
