"""``e2e providers``: the installed providers, and where each program of a version would come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from providers.releases.built import Built
    from providers.releases.release import Release

WITHIN_S = 60.0


@click.command(name="providers")
@click.option("--kubernetes", metavar="VERSION", default="pinned", show_default=True, help="As in a config.")
@click.option("--offline", is_flag=True, help="Open no network.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(kubernetes: str, form: str, *, offline: bool) -> None:
    """List providers and where each binary would come from.

    Nothing is fetched or built: servers are only asked whether they have it.
    """
    import json

    from e2e.settings import current_settings
    from providers.contracts import Deadline
    from providers.releases.versions import resolve

    settings = current_settings()
    sources = settings.sources(offline=offline, progress=lambda _progress: None)
    deadline = Deadline.after(WITHIN_S, "looking where programs come from")
    release = resolve(kubernetes, sources=sources, deadline=deadline)
    shown = {
        "providers": _providers(),
        "kubernetes": {"version": release.version, "source": release.source, "platform": str(sources.platform)},
        "binaries": _binaries(release, deadline),
    }
    if form == "json":
        click.echo(json.dumps(shown, indent=2))
    else:
        _print(shown)


def _providers() -> list[dict[str, Any]]:
    """Return the facts of each provider; a broken one is listed with its error and hides no other."""
    from providers.registry import provider_names, provider_type
    from upload.errors import UsageError

    found: list[dict[str, Any]] = []
    for name in provider_names():
        try:
            kind = provider_type(name)
        except UsageError as error:
            found.append({"name": name, "error": str(error)})
        else:
            settings = sorted(kind.Settings.model_fields)
            about = {"features": sorted(kind.features), "owns_cluster": kind.owns_cluster, "settings": settings}
            found.append({"name": name, **about})
    return found


def _binaries(release: Release | Built, deadline: Any) -> list[dict[str, str]]:
    from providers.releases.programs import PROGRAMS

    origins = {name: release.origin(name, deadline=deadline) for name in PROGRAMS}
    return [{"program": name, "place": origin.place, "detail": origin.detail} for name, origin in origins.items()]


def _print(shown: dict[str, Any]) -> None:
    click.echo("PROVIDER    CLUSTER          FEATURES")
    for provider in shown["providers"]:
        if "error" in provider:
            click.echo(f"{provider['name']:<11} broken           {provider['error']}")
            continue
        cluster = "made and removed" if provider["owns_cluster"] else "yours, kept"
        click.echo(f"{provider['name']:<11} {cluster:<16} {', '.join(provider['features']) or '-'}")
    about = shown["kubernetes"]
    click.echo(f"\nKubernetes {about['version']} ({about['source']}) for {about['platform']}\n")
    click.echo("BINARY                    COMES FROM   WHERE")
    for binary in shown["binaries"]:
        click.echo(f"{binary['program']:<25} {binary['place']:<12} {binary['detail']}")
