"""Machines for the tests of providers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.contracts import Node
from tests.support.copied_host import CopiedHost, copied_host
from tests.support.taken_host import OURS, reached


@pytest.fixture
def host(tmp_path: Path) -> Iterator[CopiedHost]:
    with copied_host(tmp_path / "w1", "w1") as host:
        yield host


@pytest.fixture
def nodes(host: CopiedHost, tmp_path: Path) -> Iterator[list[Node]]:
    with reached(tmp_path, OURS.run, host) as nodes:
        yield nodes
