from __future__ import annotations

from threading import Event

import pytest

from dashboard_feed.beside import each_within


def test_results_come_in_the_order_of_the_items() -> None:
    first = Event()

    def call(item: int) -> int:
        if item == 1:
            first.wait(10)
        else:
            first.set()
        return item * 10

    assert each_within([1, 2, 3], call, at_once=2, seconds=30, late=lambda _: -1) == (10, 20, 30)


def test_one_that_never_comes_back_gives_its_place_to_the_next() -> None:
    never = Event()
    try:
        found = each_within(
            ["stuck", "fine"],
            lambda item: str(never.wait()) if item == "stuck" else item,
            at_once=1,
            seconds=0.05,
            late=str.upper,
        )
    finally:
        never.set()

    assert found == ("STUCK", "fine")


def test_an_error_is_raised_when_the_others_are_done() -> None:
    done: list[int] = []

    def call(item: int) -> None:
        if item == 0:
            raise ValueError("no")
        done.append(item)

    with pytest.raises(ValueError, match="no"):
        each_within([0, 1, 2], call, at_once=1, seconds=30, late=lambda _: None)
    assert done == [1, 2]
