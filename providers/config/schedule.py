"""Jenkins' cron syntax, as far as a job's schedule needs it. Source: Jenkins core, ``hudson.scheduler`` (crontab.g)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from providers.config.rules import expected
from providers.wording import nearest

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_ALIASES: Final = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
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
        raise expected(f"one of {', '.join(_ALIASES)}", near=nearest(value, _ALIASES))
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
