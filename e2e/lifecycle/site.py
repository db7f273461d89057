"""The site beside a ``file://`` store, made anew after each publish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from e2e.lifecycle.addresses import site_folder
from e2e.specs import bucket_spec
from upload.store.base import Store

if TYPE_CHECKING:
    from providers.config.model import JobConfig


def refresh_site(job: JobConfig, store: Store, *, now_s: int) -> Path | None:
    """Make the site of the store's builds and return its first page; None when the store is no folder.

    Raises whatever the feed raises: the caller makes a note of it, since the results are stored all the same.
    """
    out = site_folder(store)
    if out is None:
        return None
    from dashboard_feed.links import INDEX
    from dashboard_feed.site import build_site

    build_site((bucket_spec(job, f"{store.uri}/{job.results.prefix}/"),), out, match=None, now_s=now_s)
    return out / INDEX
