"""Whose a thing in a cloud is: names, labels and descriptions that carry run, owner and expiry. Pure functions.

Source: DESIGN section 5. What has labels is marked by them; what has none by its name *and* a JSON description.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "e2e-"
RUN, OWNER, EXPIRES = "e2e-run", "e2e-owner", "e2e-expires"
_NAME_LENGTH = 63
_ROLE_LENGTH = 14
_SLUG_LENGTH = _NAME_LENGTH - len(PREFIX) - 1 - _ROLE_LENGTH
_SHA_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """What everything of a run carries. ``slug``: the run in the letters of a name; ``expires_s``: UTC epoch."""

    slug: str
    owner: str
    expires_s: int

    def name(self, role: str) -> str:
        """Return the name of one thing of the run, at most 63 characters."""
        return f"{PREFIX}{self.slug}-{role}"

    def has_named(self, name: str) -> bool:
        """Say whether a name is one of this run's."""
        return name.startswith(f"{PREFIX}{self.slug}-")

    @property
    def labels(self) -> dict[str, str]:
        """The labels of what has labels."""
        return {RUN: self.slug, OWNER: _word(self.owner), EXPIRES: str(self.expires_s)}

    @property
    def description(self) -> str:
        """The description of what has no labels; ``described`` is the inverse."""
        return json.dumps({RUN: self.slug, OWNER: self.owner[:_NAME_LENGTH], EXPIRES: self.expires_s}, sort_keys=True)


def mark_of(run: str, owner: str, expires_s: int) -> Mark:
    """Return the mark of a run."""
    return Mark(slug_of(run), owner, expires_s)


def slug_of(run: str) -> str:
    """Return a run's name in a-z, 0-9 and '-', short enough for names; two runs never share one."""
    plain = re.sub(r"[^a-z0-9-]", "-", run)
    if plain == run and len(run) <= _SLUG_LENGTH:
        return run
    sha = hashlib.sha256(run.encode()).hexdigest()[:_SHA_LENGTH]
    return f"{plain[-(_SLUG_LENGTH - _SHA_LENGTH - 1) :].lstrip('-')}-{sha}"


def labelled(labels: Mapping[str, str]) -> Mark | None:
    """Return the mark that labels hold, or None where there is none of ours."""
    slug, expires = labels.get(RUN, ""), labels.get(EXPIRES, "")
    if not slug or not expires.isascii() or not expires.isdigit():
        return None
    return Mark(slug, labels.get(OWNER, ""), int(expires[:15]))


def described(name: str, description: str) -> Mark | None:
    """Return the mark that name and description hold both, or None where one of them is not ours."""
    try:
        told = json.loads(description[:1000])
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or set(told) != {RUN, OWNER, EXPIRES}:
        return None
    slug, owner, expires_s = told[RUN], told[OWNER], told[EXPIRES]
    if not isinstance(slug, str) or not isinstance(owner, str) or type(expires_s) is not int or expires_s < 0:
        return None
    mark = Mark(slug, owner, expires_s)
    return mark if slug and mark.has_named(name) else None


def _word(text: str) -> str:
    """Return a text as the value of a label may be."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:_NAME_LENGTH]
