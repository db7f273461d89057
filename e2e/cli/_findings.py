"""How findings are told on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upload.model import Finding


def told(finding: Finding) -> tuple[str, ...]:
    """Return a finding as lines: what is wrong and where, and what readers make of it where that is known.

    A bucket's terminal codes stay off the terminal.
    """
    from dashboard_feed.text import one_line
    from upload.verify import consequence

    where = finding.object or "."
    first = f"{finding.severity.value:<8} {one_line(where, 300)}: {one_line(finding.what)} [{finding.rule}]"
    readers, then = ", ".join(finding.readers), consequence(finding)
    return (first, f"         {readers}: {then}") if readers and then else (first,)
