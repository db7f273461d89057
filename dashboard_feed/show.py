"""How values read on a page: times, ages, sizes, test names. Pure functions, used as template filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

NO_VALUE = "\N{EN DASH}"

_NAME = re.compile(r"(\[sig-[a-z0-9-]+\])?\s*(.*?)((?:\s*\[[^\[\]]+\])*)", re.DOTALL)


class NameParts(NamedTuple):
    """A test name in upstream's form: who owns it, what it says, its tags. Joined by spaces they are the name."""

    sig: str
    title: str
    tags: str


def name_parts(name: str) -> NameParts:
    """Split ``[sig-apps] Deployment should … [Conformance]``; a name of another form is all title."""
    match = _NAME.fullmatch(name) if len(name) <= 1000 else None  # the pattern's time grows with the square
    if match is None or not match[2]:
        return NameParts("", name, "")
    return NameParts(match[1] or "", match[2], match[3].strip())


def stamp(seconds: int | None) -> str:
    """Return ``2026-11-22 17:08`` (UTC), or a dash."""
    return f"{_utc(seconds):%Y-%m-%d %H:%M}" if seconds is not None else NO_VALUE


def iso(seconds: int) -> str:
    """Return the time as a ``<time datetime>`` needs it."""
    return f"{_utc(seconds):%Y-%m-%dT%H:%M:%SZ}"


def day(seconds: int | None) -> str:
    """Return ``22 Nov``."""
    return f"{_utc(seconds).day} {_utc(seconds):%b}" if seconds is not None else "?"


def clock(seconds: int | None) -> str:
    """Return ``17:08``."""
    return f"{_utc(seconds):%H:%M}" if seconds is not None else "?"


def moment(seconds: int | None) -> str:
    """Return ``22 Nov 17:08``."""
    return f"{day(seconds)} {clock(seconds)}" if seconds is not None else "an unknown time"


def duration(seconds: float | None) -> str:
    """Return ``0.4 s``, ``12 s``, ``3 min 5 s`` or ``2 h 10 min``."""
    if seconds is None:
        return NO_VALUE
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Return ``812 B``, ``1.4 kB``, ``20 MB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError(unit)


def count(number: int, one: str, many: str = "") -> str:
    """Return ``1 test``, ``3 tests``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
