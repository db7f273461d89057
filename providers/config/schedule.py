"""Jenkins' cron syntax, as far as a job's schedule needs it. Source: Jenkins core, ``hudson.scheduler`` (crontab.g)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from providers.config.rules import expected
from providers.wording import nearest

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MONTH_DAYS: Final = 365.25 / 12
# alias -> the same in five fields
_ALIASES: Final = {
    "@hourly": "H * * * *",
    "@daily": "H H * * *",
    "@midnight": "H H(0-2) * * *",
    "@weekly": "H H * * H",
    "@monthly": "H H H * *",
    "@yearly": "H H H H *",
    "@annually": "H H H H *",
}
_TERM = re.compile(r"(?:\*|H(?:\((\d{1,2})-(\d{1,2})\))?|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", re.ASCII)


@lru_cache(maxsize=256)  # most of a thousand configs have the same few
def cron_schedule(value: str) -> str:
    """Accept five fields of ``*``, ``H``, ``H(a-b)``, numbers, ranges, lists and steps, or an alias such as ``@daily``.

    ``H`` is Jenkins' own: a fixed value hashed from the job's name, which spreads the load. Names of months and
    weekdays are not in its grammar.
    """
    if value.startswith("@"):
        if value in _ALIASES:
            return value
        raise expected(f"one of {', '.join(_ALIASES)}", near=nearest(value, tuple(_ALIASES)))
    parts = re.split(" +", value.strip(" "))
    if len(parts) != len(_FIELDS):
        raise expected('five fields with blanks between them, "H 2 * * *"')
    for part, (name, low, high) in zip(parts, _FIELDS, strict=True):
        if not all(_is_term(term, low, high) for term in part.split(",")):
            raise expected(f"for the {name} *, H, H(a-b), a-b or a number from {low} to {high}, each with /n if wanted")
    return value


def _is_term(term: str, low: int, high: int) -> bool:
    found = _TERM.fullmatch(term)
    if not found:
        return False
    hash_from, hash_to, first, last, step = (int(group) if group else None for group in found.groups())
    bounds = [n for n in (hash_from, hash_to, first, last) if n is not None]
    ascending = bounds == sorted(bounds)
    # a single number with a step is refused by Jenkins ("5/10"); so is a step of 0 or one past the field
    steps_well = step is None or (0 < step <= high and (first is None or last is not None))
    return ascending and steps_well and all(low <= n <= high for n in bounds)


def runs_a_month(schedule: str) -> float:
    """Return how often a valid schedule starts a job in a month of 30.4 days, on average.

    A build starts where all five fields match; so does Jenkins, unlike cron.
    """
    parts = re.split(" +", _ALIASES.get(schedule, schedule).strip(" "))
    minutes, hours, days, months, weekdays = (
        _share(part, low, high) for part, (_, low, high) in zip(parts, _FIELDS, strict=True)
    )
    return minutes * 60 * hours * 24 * _MONTH_DAYS * days * months * weekdays


def _share(part: str, low: int, high: int) -> float:
    """Return which share of a field's values a part matches. Weekday 7 is weekday 0."""
    exact: set[int] = set()
    hashed = 0
    high -= high == 7  # the weekday's
    for term in part.split(","):
        found = _TERM.fullmatch(term)
        assert found is not None, part  # it was checked
        hash_from, hash_to, first, last, step = (int(group) if group else None for group in found.groups())
        if term.startswith("H"):
            begin, end = (low, high) if hash_from is None or hash_to is None else (hash_from, hash_to)
            hashed += len(range(begin, end + 1, step)) if step else 1
            continue
        begin, end = (low, high) if first is None else (first, first if last is None else last)
        exact.update(low if high == 6 and value == 7 else value for value in range(begin, end + 1, step or 1))
    count = high - low + 1
    return min(1.0, (len(exact) + hashed) / count)
