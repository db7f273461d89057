"""What is wrong with a config, where, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from providers.wording import visible
from upload.errors import UsageError


class Place(NamedTuple):
    """A spot in a file. ``line`` and ``column`` count from 1; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{visible(self.file, 300)}:{self.line}" if self.line else visible(self.file, 300)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    ``key`` is dotted, empty for the file itself; ``what`` is what was found, ``expected`` what would be right,
    ``nearest`` the valid word that was probably meant. The last two may be empty.
    """

    place: Place
    key: str
    what: str
    expected: str = ""
    nearest: str = ""

    def __str__(self) -> str:
        spot = f"{self.place}:{self.place.column}" if self.place.line else str(self.place)
        head = f"{spot}: {visible(self.key, 200)}: {self.what}" if self.key else f"{spot}: {self.what}"
        wanted = f"; expected {self.expected}" if self.expected else ""
        return f"{head}{wanted}" + (f" (did you mean {self.nearest!r}?)" if self.nearest else "")

    def to_json(self) -> dict[str, Any]:
        """Return the problem as flat JSON values: file, line, column, key, what, expected, nearest."""
        words = {"key": self.key, "what": self.what, "expected": self.expected, "nearest": self.nearest}
        return {**self.place._asdict(), **words}


class ConfigError(UsageError):
    """A config that cannot be used; ``problems`` holds everything that is wrong with it, never nothing."""

    def __init__(self, problems: Sequence[Problem], *, hint: str = "") -> None:
        super().__init__("\n".join(str(p) for p in problems), hint=hint)
        self.problems = tuple(problems)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, by file, line and column. A fault in ``party.yaml`` shows up in every job under it."""
    return tuple(sorted(set(problems), key=lambda p: (p.place.file, p.place.line, p.place.column, p.key, p.what)))
