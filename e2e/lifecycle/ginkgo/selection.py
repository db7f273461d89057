"""From the keys of ``suite:`` to Ginkgo's flags: which of upstream's cases run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

SUITE = "Kubernetes e2e suite"  # Ginkgo matches focus and skip against this, a blank, and the title
LABELS: Mapping[str, str] = {
    "conformance": "Conformance",
    "serial": "Serial",
    "slow": "Slow",
    "disruptive": "Disruptive",
}
"""Marker of our suite -> label of upstream's."""

NOT_ASKED_FOR = "!Flaky && !/^Feature:.+/"
"""What upstream leaves out unless a selection asks for it (``CreateGinkgoConfig`` of test/e2e/framework)."""

# Go's regular expressions have none of these
_NOT_OF_GO = re.compile(r"\(\?(?:[=!>#(]|<[=!]|P=)|(?<!\\)(?:\\\\)*\\[1-9Z]|[*+?}]\+")


def label_filter(select: str, own: str = "", *, is_asked_for: bool, keeps_quiet: bool) -> str:
    """Return what ``--label-filter`` is given.

    ``select``: a marker expression; ``own``: a label filter to be and-ed with it; ``is_asked_for``: whether titles are
    focused on as well; ``keeps_quiet``: disruptive cases must not run. Raises ValueError with a marker that upstream lacks.
    """
    parts = [_of_expression(ast.parse(select.strip(), mode="eval").body)]
    parts += [f"({own})"] if own else []
    parts += [] if own or is_asked_for else [NOT_ASKED_FOR]
    parts += ["!Disruptive"] if keeps_quiet else []
    return " && ".join(parts)


def _of_expression(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) if name in LABELS:
            return LABELS[name]
        case ast.BoolOp(op=op, values=values):
            joiner = " && " if isinstance(op, ast.And) else " || "
            return f"({joiner.join(map(_of_expression, values))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"!{_of_expression(operand)}"
    raise ValueError(ast.unparse(node))


def go_pattern(pattern: str) -> str:
    """Return a pattern on titles as one on what Ginkgo matches: ``^`` is the beginning of the title."""
    return "".join(_anchored(pattern))


def _anchored(pattern: str) -> Iterator[str]:
    in_class = False
    escaped = False
    for char in pattern:
        at_start = char == "^" and not escaped and not in_class
        yield f"^{SUITE} " if at_start else char
        if not escaped:
            in_class = char == "[" or (in_class and char != "]")
        escaped = char == "\\" and not escaped


def exactly(titles: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns that select just these titles, one for each: together they may be longer than an argument."""
    from e2e.plugin.titles import focus_pattern  # brings pytest along

    return tuple(go_pattern(focus_pattern([title])) for title in titles)


def foreign_syntax(pattern: str) -> str:
    """Return what Go cannot read in a pattern, or an empty text. It is a look at the common things and no parser."""
    found = _NOT_OF_GO.search(pattern)
    return found[0] if found else ""
