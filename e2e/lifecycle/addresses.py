"""Where a run's results are looked at: the bucket folder, the site, the TestGrid tab. First and last in every log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from upload.errors import UsageError
from upload.layout import build_paths
from upload.model import BuildRef
from upload.store.base import Store

if TYPE_CHECKING:
    from e2e.lifecycle.run import Run

TESTGRID = "https://testgrid.k8s.io"
SITE = "site"  # beside the store


def store_folder(uri: str) -> Path | None:
    """Return the folder that a ``file://`` store is, None for a bucket."""
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file://") else None


def site_folder(store: Store) -> Path | None:
    """Return the folder of the site beside a ``file://`` store, None for a bucket."""
    folder = store_folder(store.uri)
    return folder.parent / SITE if folder else None


def places(store: Store, build: BuildRef, job: Mapping[str, Any]) -> dict[str, str]:
    """Return what shows the build → its address; ``site`` is empty where there is none. ``job``: the config in JSON."""
    dashboard = job["dashboard"]
    of_job = build.prefix == job["results"]["prefix"]  # a site shows no pull requests
    made = site_folder(store)
    own = (made / "index.html").as_uri() if made else dashboard.get("site") or ""
    return {
        "results": store.uri_of(build_paths(build).folder),
        "site": own if of_job else "",
        "testgrid": f"{TESTGRID}/{quote(dashboard['name'])}#{quote(dashboard['tab'])}",
    }


def addresses(store: Store, build: BuildRef, job: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one line for each place, the same before and after the run. ``job``: the config in JSON."""
    found = places(store, build, job)
    is_local = bool(found["site"]) and site_folder(store) is not None
    return (
        f"results:  {found['results']}",
        f"site:     {found['site'] or 'e2e feed build BUCKETS_YAML --out DIR'}",
        f"testgrid: {found['testgrid']}{' (once it is published to a bucket)' if is_local else ''}",
    )


def write_env_file(path: Path, run: Run) -> None:
    """Write what a CI wants to know of a run that has begun, as ``KEY=VALUE`` lines. Raises UsageError."""
    from e2e.lifecycle.publish import build_of, store_of

    state = run.state
    where = places(store_of(state), build_of(state), state.job) if state.claimed else {}
    lines = {"E2E_RUN": state.run, **{f"E2E_{name.upper()}": address for name, address in where.items()}}
    try:
        path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{path}: cannot be written: {exc.strerror or exc}", hint="give another --env-file") from exc
