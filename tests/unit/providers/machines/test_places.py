"""Places: one machine type in every zone, then the next; only what has no room moves on."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from providers.machines.places import Place, places, settle
from upload.errors import ManyErrors, ProviderError, StockoutError

ORDER = places(("a", "b"), ("small", "big"))


def test_zones_come_before_types() -> None:
    assert (Place("a", "small"), Place("b", "small"), Place("a", "big"), Place("b", "big")) == ORDER


def test_only_those_without_room_move_on() -> None:
    asked: list[dict[str, Place]] = []
    notes: list[str] = []

    def attempt(wanted: Mapping[str, Place]) -> Mapping[str, Exception | None]:
        asked.append(dict(wanted))
        return {name: StockoutError("full") if name == "w1" and len(asked) < 3 else None for name in wanted}

    settle(("cp1", "w1"), ORDER, attempt, notes.append)

    assert asked == [{"cp1": ORDER[0], "w1": ORDER[0]}, {"w1": ORDER[1]}, {"w1": ORDER[2]}]
    assert notes == [
        "small in a: no room for w1; next: small in b",
        "small in b: no room for w1; next: big in a",
    ]


def test_every_place_is_told_when_none_has_room() -> None:
    with pytest.raises(StockoutError, match=r"no place has room for w1:\n  small in a: full\n(.|\n)*  big in b: full"):
        settle(("w1",), ORDER, lambda wanted: dict.fromkeys(wanted, StockoutError("full")))


def test_another_error_moves_nothing_on() -> None:
    errors = {"cp1": ProviderError("broken"), "w1": StockoutError("full")}

    with pytest.raises(ManyErrors, match="broken"):
        settle(("cp1", "w1"), ORDER, lambda _wanted: errors)
