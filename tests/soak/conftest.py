"""The soak tests run with ``--soak`` only."""

from __future__ import annotations

import pytest

from tests.integration.e2e.conftest import harness
from tests.support.gcs import bucket, faults, gcs_server

__all__ = ["bucket", "faults", "gcs_server", "harness"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run tests/soak")
    parser.addoption("--soak-publishes", type=int, default=200, help="how many builds the soak test publishes")
    parser.addoption("--soak-seed", type=int, default=0, help="seed of the soak test's chance; 0: a new one, printed")
    parser.addoption("--soak-clusters", type=int, default=5, help="on how many clusters the suite runs twice")
    parser.addoption("--soak-select", default="not slow", help="marker expression of the suite's cases that run")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if config.getoption("--soak", default=False) else True
