"""A fake bucket and the fault proxy for the tests of this folder."""

from __future__ import annotations

from tests.support.gcs import bucket, faults, gcs_server

__all__ = ["bucket", "faults", "gcs_server"]
