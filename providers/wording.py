"""Words for messages: what a stranger's text may look like on a terminal, and what a misspelt word meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_ECHO = 80


def visible(text: str, longest: int = _LONGEST_ECHO) -> str:
    """Return ``text`` fit for a terminal: one line, cut, and whatever does not print (escapes, bidi marks) spelled out."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def nearest(word: str, candidates: Iterable[str]) -> str:
    """Return the candidate that ``word`` was probably meant to be, or an empty string."""
    return next(iter(nearest_few(word, candidates, most=1)), "")


def meant(near: str) -> str:
    """Return what follows a word that nobody knows, where another one is near."""
    return f", did you mean '{near}'?" if near else ""


def nearest_few(word: str, candidates: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the candidates that ``word`` may have been meant to be, the nearest first."""
    return difflib.get_close_matches(word[:_LONGEST_ECHO], list(candidates), n=most)
