"""The published name of a case: stable, unique, in upstream's form. Source: DESIGN section 8."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

SLUG_CHARS = 60
HASH_CHARS = 8


class NoTitle(ValueError):
    """A test from which no title can be made; the message says what to write."""


def case_title(*, sig: str, docstring: str, param_id: str = "", flags: Sequence[str] = ()) -> str:
    """Return ``[sig-<sig>] <first line of the docstring> [<param id>] [Conformance] [Serial] …``.

    The final full stop is left out. Raises NoTitle when the SIG or the docstring is missing.
    """
    first = docstring.strip().splitlines()[0].strip().removesuffix(".") if docstring.strip() else ""
    if not sig:
        raise NoTitle("it has no pytest.mark.sig(...)")
    if not first:
        raise NoTitle("it has no docstring; the first line is the published name")
    if not first.isascii() or not first.isprintable():
        raise NoTitle("the first line of its docstring has characters that results readers reject; use ASCII")
    parts = [f"[sig-{sig}] {first}"]
    if param_id:
        parts.append(f"[{param_id}]")
    parts.extend(f"[{flag.capitalize()}]" for flag in flags)
    return " ".join(parts)


def clashes(titles: Mapping[str, str]) -> dict[str, str]:
    """Return, for each title that more than one test has, what to say about it. ``titles``: node id -> title."""
    owners: dict[str, list[str]] = {}
    for node_id, title in titles.items():
        owners.setdefault(title, []).append(node_id)
    return {
        title: f"{' and '.join(sorted(ids))} have the same title {title!r}; change the first line of one docstring"
        for title, ids in sorted(owners.items())
        if len(ids) > 1
    }


def evidence_name(title: str) -> str:
    """Return the folder name of a case's evidence: ``<slug60>-<sha8>``, safe as a path and as an object name."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:SLUG_CHARS].rstrip("-")
    return f"{slug or 'case'}-{title_hash(title)}"


def title_hash(title: str) -> str:
    """Return eight hexadecimal digits that identify a title."""
    return hashlib.sha256(title.encode()).hexdigest()[:HASH_CHARS]


def focus_pattern(titles: Iterable[str]) -> str:
    """Return the regular expression that selects exactly these titles, readable where that is possible."""
    escaped = [re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", title) for title in titles]
    return f"^{escaped[0]}$" if len(escaped) == 1 else f"^({'|'.join(escaped)})$"
