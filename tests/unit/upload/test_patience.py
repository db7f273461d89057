"""Trying again: how long, how often, and whose deadline ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from upload.errors import DeadlineExceeded
from upload.store.patience import Patience


@dataclass
class Time:
    """A clock that only moves when somebody sleeps."""

    now_s: float = 0.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def patience(self, **rest: float | Callable[[], float]) -> Patience:
        return Patience(clock=self.clock, sleep=self.sleep, chance=lambda: 1.0, **rest)  # type: ignore[arg-type]


class Passing(Exception):
    """An error that may pass."""


def failing(times: int) -> Callable[[], str]:
    left = [times]

    def call() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise Passing
        return "done"

    return call


def is_passing(error: Exception) -> bool:
    return isinstance(error, Passing)


def test_waits_double_up_to_the_longest() -> None:
    time = Time()

    assert time.patience().persist("x", failing(8), again=is_passing) == "done"
    assert time.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]


def test_each_wait_is_told_before_it_begins() -> None:
    time = Time()
    told: list[tuple[str, str, float, float]] = []

    def tell(what: str, error: Exception, pause_s: float) -> None:
        told.append((what, type(error).__name__, pause_s, time.now_s))

    patience = Patience(clock=time.clock, sleep=time.sleep, chance=lambda: 1.0, on_wait=tell)
    patience.persist("gs://b/x", failing(2), again=is_passing)

    assert told == [("gs://b/x", "Passing", 0.5, 0.0), ("gs://b/x", "Passing", 1.0, 0.5)]


@pytest.mark.parametrize(("chance", "first_s"), [(0.0, 0.25), (0.5, 0.375), (1.0, 0.5)])
def test_wait_is_drawn_between_half_and_whole(chance: float, first_s: float) -> None:
    time = Time()
    patience = Patience(clock=time.clock, sleep=time.sleep, chance=lambda: chance)

    patience.persist("x", failing(1), again=is_passing)

    assert time.slept == [first_s]


def test_error_that_does_not_pass_is_raised_at_once() -> None:
    time = Time()

    with pytest.raises(ZeroDivisionError):
        time.patience().persist("x", lambda: 1 / 0, again=is_passing)
    assert time.slept == []


def test_last_error_is_raised_when_the_operations_time_is_up() -> None:
    time = Time()

    with pytest.raises(Passing):
        time.patience(operation_s=10.0).persist("x", failing(10**6), again=is_passing)
    assert time.slept == [0.5, 1.0, 2.0, 4.0]


def test_callers_deadline_ends_it_without_a_useless_wait() -> None:
    time = Time()
    patience = time.patience(remaining_s=lambda: 3.0 - time.now_s)

    with pytest.raises(Passing):
        patience.persist("x", failing(10**6), again=is_passing)
    assert time.slept == [0.5, 1.0]


def test_wait_that_was_asked_for_is_kept_unless_it_is_too_long() -> None:
    time = Time()

    time.patience().persist("x", failing(2), again=is_passing, asked_wait_s=lambda _error: 7.0)
    assert time.slept == [7.0, 7.0]
    with pytest.raises(Passing):
        time.patience(operation_s=30.0).persist("x", failing(1), again=is_passing, asked_wait_s=lambda _error: 31.0)


def test_nothing_is_tried_after_the_deadline() -> None:
    with pytest.raises(DeadlineExceeded):
        Time().patience(remaining_s=lambda: 0.0).persist("x", failing(0), again=is_passing)


@pytest.mark.parametrize(("left_s", "expected"), [(1000.0, (10.0, 60.0)), (5.0, (5.0, 5.0)), (-1.0, (0.1, 0.1))])
def test_one_request_never_outlives_the_deadline(left_s: float, expected: tuple[float, float]) -> None:
    assert Patience(remaining_s=lambda: left_s).timeouts() == expected
