"""The site beside a ``file://`` store, made anew after each publish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2e.lifecycle.addresses import site_folder
from upload.store.base import Store

if TYPE_CHECKING:
    from dashboard_feed.buckets import BucketSpec


def bucket_of(job: Mapping[str, Any], store: Store) -> BucketSpec:
    """Return the bucket that a job publishes into, as the feed reads it. ``job``: the config in JSON."""
    from dashboard_feed.buckets import BucketSpec

    return BucketSpec(
        uri=f"{store.uri}/{job['results']['prefix']}/",
        prefix=job["bucket_prefix"],
        contact=job["contact"]["github"],
        sequential=False,  # ids are times (docs/adr/0002)
    )


def refresh_site(job: Mapping[str, Any], store: Store, *, now_s: int) -> Path | None:
    """Make the site of the store's builds and return its first page; None when the store is no folder.

    Raises whatever the feed raises: the caller makes a note of it, since the results are stored all the same.
    """
    out = site_folder(store)
    if out is None:
        return None
    from dashboard_feed.site import build_site

    return build_site((bucket_of(job, store),), out, match=None, now_s=now_s).index
