"""Fixtures of the lifecycle's tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.harness import Harness, make_harness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    """Return a folder of its own for ``e2e``; what a test leaves running in it is killed."""
    made = make_harness(tmp_path)
    yield made
    for process in psutil.process_iter():
        try:
            environ = process.environ()
        except (psutil.Error, OSError):
            continue
        if any(
            environ.get(name, "").startswith(str(tmp_path))
            for name in ("FAKE_CLUSTER", "E2E_RUN_FOLDER", "E2E_STATE_DIR")
        ):
            os.kill(process.pid, signal.SIGKILL)
