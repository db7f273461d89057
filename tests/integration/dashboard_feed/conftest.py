"""A written federation for the tests of this folder, and a fake bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from tests.support.federation import write_federation
from tests.support.gcs import bucket, gcs_server

NOW_S = 1_795_367_000  # 2026-11-22 17:03:20

__all__ = ["NOW_S", "bucket", "gcs_server"]


@pytest.fixture(scope="session")
def federation(tmp_path_factory: pytest.TempPathFactory) -> tuple[BucketSpec, ...]:
    """The buckets of a small federation, two of them sound, one broken, one hostile. Nobody writes to it."""
    root: Path = tmp_path_factory.mktemp("federation")
    return write_federation(root, now_s=NOW_S, builds=6)


@pytest.fixture
def now_s() -> int:
    return NOW_S
