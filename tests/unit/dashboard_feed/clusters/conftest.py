"""Failures on several platforms, made from a few words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Bucket, Build, Job
from upload.model import Case, Status

NOW_S = 1_800_000_000
HOUR_S = 3600
Buckets = tuple[Bucket, ...]


def make_buckets(**builds: list[dict[str, str]]) -> Buckets:
    """Return a bucket for each platform; its builds, oldest first, map tests to failure texts, empty for a pass."""
    made = []
    for platform, many in builds.items():
        spec = BucketSpec(f"gs://{platform}/logs/", f"{platform}:")
        history = [
            Build(
                "job",
                str(number),
                started_s=NOW_S + number * HOUR_S,
                finished_s=NOW_S + number * HOUR_S + 60,
                is_finished=True,
                passed=not any(cases.values()),
                result="x",
                metadata=(("provider", platform),),
                cases=tuple(
                    Case(name, Status.FAILED if text else Status.PASSED, 1.0, text=text) for name, text in cases.items()
                ),
            )
            for number, cases in enumerate(many, 1)
        ]
        made.append(Bucket(spec, (Job(spec, "job", tuple(reversed(history))),)))
    return tuple(made)


@pytest.fixture
def buckets() -> Callable[..., Buckets]:
    return make_buckets
