"""Fixtures that several kinds of integration tests use."""

from __future__ import annotations

from tests.support.cluster import binaries, local_cluster

__all__ = ["binaries", "local_cluster"]
