"""``e2e new``: begin something from nothing. Asks on a terminal for what the options do not say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from providers.config.draft import JobDraft, PartyDraft

SHORTEST_TAB = 3  # TestGrid's config/config.go


@click.group(name="new")
def command() -> None:
    """Begin a config from nothing."""


@command.command("provider-config")
@click.argument("name")
@click.option("--provider", metavar="NAME", help="Who makes the cluster; e2e providers lists the installed ones.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A key of the provider; VALUE is YAML.")
@click.option("--job", metavar="JOB", help="The job's name; default: ci-kubernetes-e2e-<party>-<NAME>.")
@click.option("--description", metavar="TEXT", help="One sentence for the dashboards.")
@click.option("--kubernetes", metavar="VERSION", help="vX.Y.Z, release/stable[-X.Y], ci/latest[-X.Y] or pinned.")
@click.option("--nodes", type=click.IntRange(0), default=2, show_default=True, help="Workers.")
@click.option(
    "--preset",
    type=click.Choice(["gating", "conformance", "nightly", "soak"]),
    default="nightly",
    show_default=True,
    help="Which cases run.",
)
@click.option("--schedule", metavar="CRON", help='When Jenkins starts it, "H 2 * * *".')
@click.option("--party", metavar="NAME", help="Short name of whoever runs the tests; for a new party.yaml.")
@click.option("--github", metavar="NAME", help="GitHub name of the contact; for a new party.yaml.")
@click.option("--email", metavar="ADDRESS", help="E-mail address of the contact; for a new party.yaml.")
@click.option("--store", metavar="URI", help="gs://bucket that results go to; for a new party.yaml.")
@click.pass_context
def provider_config(ctx: click.Context, /, name: str, **given: Any) -> None:
    """Write providers/configs/NAME.yaml, with a comment at each key, and check it.

    On a terminal it asks for what is not said. Where the folder has no party.yaml, one is written too. No file is
    ever written over.
    """
    from providers.config import default_search
    from providers.config.draft import render_job, render_party
    from providers.config.find import PARTY_FILE
    from providers.config.review import review
    from providers.config.rules import file_stem
    from upload.errors import Outcome

    try:
        stem = file_stem(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    folder = Path("providers", "configs")
    path, party_path = folder / f"{stem}.yaml", folder / PARTY_FILE
    if path.exists():
        raise click.UsageError(f"{path} is there already")
    party = None if party_path.exists() else _party(given)
    draft = _job(stem, party.party if party else _known_party(party_path), given)
    if party:
        _write(party_path, render_party(party))
    _write(path, render_job(draft))
    found = review((str(path),), search=default_search())
    for problem in found.problems:
        click.echo(str(problem))
    if found.problems:
        click.echo(f"{path} has to be edited; then: e2e check {stem}", err=True)
        ctx.exit(Outcome.USAGE.value.exit_code)
    click.echo(f"try it: e2e run {stem} --dry-run", err=True)


def _job(stem: str, party: str, given: dict[str, Any]) -> JobDraft:
    from providers.config.draft import JobDraft, asked_of, makes_cluster
    from providers.registry import provider_names, provider_type

    names = ", ".join(provider_names())
    provider = given["provider"] or _ask(f"Provider ({names})", "--provider")
    provider_type(provider)  # says which there are
    settings = _settings(given["settings"])
    for asked in asked_of(provider):
        if asked.key not in settings:
            settings[asked.key] = _value(_ask(f"provider.{asked.key}: {asked.about}", f"--set {asked.key}=…"))
    job = given["job"] or "-".join(each for each in ("ci-kubernetes-e2e", party, stem) if each)
    version = given["kubernetes"] or ("release/stable" if makes_cluster(provider) else "")
    return JobDraft(
        job=job,
        provider=provider,
        description=given["description"] or f"Kubernetes on {provider}",
        kubernetes="pinned" if provider == "local" and not given["kubernetes"] else version,
        nodes=given["nodes"],
        preset=given["preset"],
        schedule=given["schedule"] or "",
        tab=stem if sum(map(str.isalnum, stem)) >= SHORTEST_TAB else job,
        settings=settings,
    )


def _party(given: dict[str, Any]) -> PartyDraft:
    from providers.config.draft import PartyDraft

    wanted: dict[str, str] = {
        "party": "Party: short name of whoever runs the tests",
        "github": "GitHub name of the contact",
        "email": "E-mail address of the contact",
        "store": "Where results go, gs://bucket",
    }
    return PartyDraft(**{key: given[key] or _ask(text, f"--{key}") for key, text in wanted.items()})


def _known_party(path: Path) -> str:
    from providers.config.document import read_document

    party = read_document(path).values.get("party")
    return party if isinstance(party, str) else ""


def _ask(text: str, option: str) -> str:
    """Ask on a terminal; elsewhere name the option. Raises: click.UsageError."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{text}: give {option}")
    answer: str = click.prompt(text)
    return answer


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in given:
        key, separator, value = each.partition("=")
        if not separator or not key.isidentifier():
            raise click.BadParameter(f"{each!r} is no KEY=VALUE", param_hint="--set")
        found[key] = _value(value)
    return found


def _value(text: str) -> Any:
    """Return what a text is in YAML, in plain values."""
    from providers.config.document import parse_document
    from providers.config.problems import ConfigError

    try:
        document = parse_document(f"value: {text}\n".encode(), path=Path("value"), shown="value")
    except ConfigError as error:
        raise click.BadParameter(f"{text!r} is no YAML: {error}") from error
    if document.problems or set(document.values) != {"value"}:
        raise click.BadParameter(f"{text!r} is no plain YAML value")
    return document.values["value"]


def _write(path: Path, text: str) -> None:
    from upload.errors import UsageError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    click.echo(f"wrote {path}")
