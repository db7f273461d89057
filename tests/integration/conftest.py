"""Fixtures that several kinds of integration tests use."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("providers.testing")

from tests.support.cluster import binaries, local_cluster  # noqa: E402  # after the rewrite is asked for

__all__ = ["binaries", "local_cluster"]
