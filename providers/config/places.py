"""Where each key and value of a config stands. A place is made when it is asked for: of most values nobody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from providers.config.problems import Place

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Places(Mapping[Loc, Place]):
    """Path from the top → place. ``layers``: a file's name and its marks, what counts first."""

    layers: tuple[tuple[str, Mapping[Loc, yaml.Mark]], ...] = ()

    def laid_on(self, under: Places) -> Places:
        """Return both, where these count first."""
        return Places((*self.layers, *under.layers))

    def get(self, loc: Loc, default: Any = None) -> Any:
        """Return the place, or ``default`` where nothing was written."""
        for shown, marks in self.layers:
            if mark := marks.get(loc):
                return Place(shown, mark.line + 1, mark.column + 1)
        return default

    def __getitem__(self, loc: Loc) -> Place:
        if place := self.get(loc):
            found: Place = place
            return found
        raise KeyError(loc)

    def __contains__(self, loc: object) -> bool:
        return any(loc in marks for _, marks in self.layers)

    def __iter__(self) -> Iterator[Loc]:
        return iter(dict.fromkeys(loc for _, marks in self.layers for loc in marks))

    def __len__(self) -> int:
        return len({loc for _, marks in self.layers for loc in marks})
