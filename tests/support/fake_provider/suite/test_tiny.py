"""A suite without a cluster, for tests of the pytest tester. Which case runs is chosen by --focus."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.sig("tiny")


def test_passing() -> None:
    """Passing should pass."""


def test_failing() -> None:
    """Failing should fail."""
    assert [1] == [2]


def attempt(request: pytest.FixtureRequest) -> int:
    """Return the number of this attempt of the case."""
    events = map(json.loads, Path(request.config.getoption("e2e_events")).read_text().splitlines())
    earlier = [event["name"].split()[1] for event in events if event["event"] == "finished"]
    return earlier.count(str(request.function.__doc__).split()[0]) + 1


def test_wavering(request: pytest.FixtureRequest) -> None:
    """Wavering should pass at its second attempt."""
    assert attempt(request) == 2


@pytest.mark.serial
def test_slow_to_please(request: pytest.FixtureRequest) -> None:
    """Reluctant should pass at its third attempt."""
    assert attempt(request) == 3


def test_hanging_again(request: pytest.FixtureRequest) -> None:
    """Stubborn should fail and then be cut."""
    assert attempt(request) == 2
    time.sleep(600)


@pytest.mark.serial
def test_serial() -> None:
    """Alone should pass."""


def test_hanging() -> None:
    """Hanging should be cut."""
    time.sleep(600)


@pytest.mark.requires("moon")
def test_skipped() -> None:
    """Moon should be full."""
