"""Benchmarks print ratios against a peer measured in the same run; they run with ``--benchmarks`` only."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import pytest

Pairs = Sequence[tuple[float, float]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--benchmarks", action="store_true", help="run tests/benchmarks")
    parser.addoption("--upload-mib", type=int, default=2048, help="how large the upload benchmark's one file is")
    parser.addoption("--junit-cases", type=int, default=1_000_000, help="how many cases the JUnit benchmark reads")
    parser.addoption("--feed-builds", type=int, default=10_000, help="how many builds are collected for the first time")
    known = [10**3, 10**4, 10**5]
    parser.addoption(
        "--feed-known", type=int, nargs="+", default=known, help="at how many known builds growth is measured"
    )


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if config.getoption("--benchmarks", default=False) else True


@pytest.fixture
def record_ratio(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Return a function that prints the median of the ratios pair by pair, and the goal beside it."""

    def record(what: str, pairs: Pairs, goal: float, unit: str = "s") -> None:
        ratios = sorted(ours / peer for ours, peer in pairs)
        ours_median = statistics.median(ours for ours, _ in pairs)
        peer_median = statistics.median(peer for _, peer in pairs)
        with capsys.disabled():
            print(
                f"\n{what}: median {statistics.median(ratios):.2f} (of {len(ratios)}: {ratios[0]:.2f} to {ratios[-1]:.2f},"
                f" goal ≤ {goal}), ours {ours_median:.3f} {unit}, peer {peer_median:.3f} {unit}"
            )

    return record
