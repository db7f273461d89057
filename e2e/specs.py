"""What the feed is told of a config: the bucket that it publishes into and its tab. The feed knows no configs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard_feed.buckets import BucketSpec
    from dashboard_feed.testgrid.config import TabSpec

GS = "gs://"


def bucket_spec(job: Mapping[str, Any], store_uri: str) -> BucketSpec:
    """Return the bucket that a job publishes into. ``job``: the config in JSON; ``store_uri``: its store's root."""
    from dashboard_feed.buckets import BucketSpec

    return BucketSpec(
        uri=f"{store_uri.rstrip('/')}/{job['results']['prefix']}/",
        prefix=job["bucket_prefix"],
        contact=job["contact"]["github"],
        sequential=False,  # ids are times (docs/adr/0002)
    )


def tab_spec(job: Mapping[str, Any]) -> TabSpec:
    """Return where TestGrid shows a job whose results are in a bucket (``gs://``). ``job``: the config in JSON."""
    from dashboard_feed.testgrid.config import TabSpec

    board = job["dashboard"]
    return TabSpec(
        job=job["job"],
        gcs_prefix=f"{bucket_spec(job, job['results']['store']).uri.removeprefix(GS)}{job['job']}",
        group=board["group"],
        dashboard=board["name"],
        tab=board["tab"],
        stale_hours=board["stale_hours"],
        description=job["description"],
        contact=job["contact"]["github"],
        alert_email=board["alert_email"] or "",
    )


def is_public(job: Mapping[str, Any]) -> bool:
    """Say whether others can read a job's results: they are in a bucket and not in a folder."""
    return str(job["results"]["store"]).startswith(GS)
