"""Where machines are made: the places of a config in their order, and the next one where a place has no room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from upload.errors import ManyErrors, StockoutError


@dataclass(frozen=True, slots=True)
class Place:
    """One attempt: a machine type in a zone."""

    zone: str
    machine_type: str

    def __str__(self) -> str:
        """Return the place as messages call it."""
        return f"{self.machine_type} in {self.zone}"


def places(zones: Sequence[str], machine_types: Sequence[str]) -> tuple[Place, ...]:
    """Return all places: every zone for the first machine type, then every zone for the next one."""
    return tuple(Place(zone, kind) for kind in machine_types for zone in zones)


def settle(
    names: Sequence[str],
    order: Sequence[Place],
    attempt: Callable[[Mapping[str, Place]], Mapping[str, Exception | None]],
    note: Callable[[str], object] = lambda _text: None,
) -> None:
    """Make machines, all at once; those for which a place has no room are made in the next one.

    ``attempt``: name -> place, tried beside each other -> what went wrong, or None. ``note``: told of each change.
    Raises: StockoutError with the answer of every place; ManyErrors when something else went wrong.
    """
    waiting, said = tuple(names), dict.fromkeys(order, "")
    for index, place in enumerate(order):
        outcome = attempt(dict.fromkeys(waiting, place))
        others = [e for e in outcome.values() if e is not None and not isinstance(e, StockoutError)]
        if others:
            raise ManyErrors("making machines", ExceptionGroup("making machines", others))
        full = {name: error for name, error in outcome.items() if error is not None}
        if not full:
            return
        waiting = tuple(full)
        said[place] = str(next(iter(full.values())))
        following = f"; next: {order[index + 1]}" if index + 1 < len(order) else ""
        note(f"{place}: no room for {', '.join(waiting)}{following}")
    told = "\n".join(f"  {place}: {what}" for place, what in said.items())
    raise StockoutError(
        f"no place has room for {', '.join(waiting)}:\n{told}",
        hint="add zones or machine_types under provider:, or ask for more quota",
    )
