"""A server for buckets, and TestGrid over them."""

from __future__ import annotations

from tests.support.gcs import bucket, gcs_server

__all__ = ["bucket", "gcs_server"]
