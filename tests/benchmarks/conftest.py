"""Benchmarks print ratios against a peer measured in the same run; they run with ``--benchmarks`` only."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import pytest

Pairs = Sequence[tuple[float, float]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--benchmarks", action="store_true", help="run tests/benchmarks")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if config.getoption("--benchmarks", default=False) else True


@pytest.fixture
def record_ratio(capsys: pytest.CaptureFixture[str]) -> Callable[[str, Pairs, float], None]:
    """Return a function that prints the median of the ratios pair by pair, and the goal beside it."""

    def record(what: str, pairs: Pairs, goal: float) -> None:
        ratios = sorted(ours / peer for ours, peer in pairs)
        ours_s = statistics.median(ours for ours, _ in pairs)
        peer_s = statistics.median(peer for _, peer in pairs)
        with capsys.disabled():
            print(
                f"\n{what}: median {statistics.median(ratios):.2f} (of {len(ratios)}: {ratios[0]:.2f} to {ratios[-1]:.2f},"
                f" goal ≤ {goal}), ours {ours_s:.3f} s, peer {peer_s:.3f} s"
            )

    return record
