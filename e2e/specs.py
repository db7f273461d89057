"""What the feed is told of a config: the bucket that it publishes into and its tab. The feed knows no configs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard_feed.buckets import BucketSpec
    from dashboard_feed.testgrid.config import TabSpec
    from providers.config.model import JobConfig


def bucket_spec(job: JobConfig, uri: str = "") -> BucketSpec:
    """Return the bucket that a job publishes into. ``uri``: its folder with all jobs, where that is not the config's."""
    from dashboard_feed.buckets import BucketSpec

    return BucketSpec(
        uri=uri or job.results.root,
        prefix=job.bucket_prefix,
        contact=job.contact.github,
        sequential=False,  # ids are times (docs/adr/0002)
    )


def tab_spec(job: JobConfig) -> TabSpec:
    """Return where TestGrid shows a job whose results are in a bucket (``gs://``)."""
    from dashboard_feed.testgrid.config import TabSpec
    from providers.config.model import GS

    board = job.dashboard
    return TabSpec(
        job=job.job,
        gcs_prefix=f"{job.results.root.removeprefix(GS)}{job.job}",
        group=board.group,
        dashboard=board.name,
        tab=board.tab,
        stale_hours=board.stale_hours,
        description=job.description,
        contact=job.contact.github,
        alert_email=board.alert_email or "",
    )
