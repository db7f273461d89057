"""Where a run's results are looked at: the bucket folder, the site, the TestGrid tab. First and last in every log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from upload.layout import build_paths
from upload.model import BuildRef
from upload.store.base import Store

TESTGRID = "https://testgrid.k8s.io"
SITE = "site"  # beside the store


def store_folder(uri: str) -> Path | None:
    """Return the folder that a ``file://`` store is, None for a bucket."""
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file://") else None


def site_folder(store: Store) -> Path | None:
    """Return the folder of the site beside a ``file://`` store, None for a bucket."""
    folder = store_folder(store.uri)
    return folder.parent / SITE if folder else None


def addresses(store: Store, build: BuildRef, job: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one line for each place, the same before and after the run. ``job``: the config in JSON."""
    folder = store.uri_of(build_paths(build).folder)
    site = site_folder(store) if build.prefix == job["results"]["prefix"] else None  # it shows no pull requests
    dashboard = job["dashboard"]
    tab = f"{TESTGRID}/{quote(dashboard['name'])}#{quote(dashboard['tab'])}"
    if site is None:
        return (f"results:  {folder}", "site:     e2e feed build BUCKETS_YAML --out DIR", f"testgrid: {tab}")
    return (
        f"results:  {folder}",
        f"site:     {(site / 'index.html').as_uri()}",
        f"testgrid: {tab} (once it is published to a bucket)",
    )
