"""A suite without a cluster, for tests of the pytest tester. Which case runs is chosen by --focus."""

from __future__ import annotations

import time

import pytest

pytestmark = pytest.mark.sig("tiny")


def test_passing() -> None:
    """Passing should pass."""


def test_failing() -> None:
    """Failing should fail."""
    assert [1] == [2]


@pytest.mark.serial
def test_serial() -> None:
    """Alone should pass."""


def test_hanging() -> None:
    """Hanging should be cut."""
    time.sleep(600)


@pytest.mark.requires("moon")
def test_skipped() -> None:
    """Moon should be full."""
