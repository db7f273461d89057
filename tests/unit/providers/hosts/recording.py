"""What ``gather.sh`` printed on a Debian 12 machine, and the same with sections replaced."""

from __future__ import annotations

import re
from pathlib import Path

from providers.hosts.facts import Facts, parse_facts

RECORDED = (Path(__file__).parent / "recorded" / "debian-12.txt").read_text()
ASKED_S = 1795406954.0


def printed(**sections: str) -> str:
    """Return the recording with whole sections replaced; ``machine_id`` is the section ``machine-id``."""
    text = RECORDED
    for name, lines in sections.items():
        body = "".join(f" {line}\n" for line in lines.splitlines())
        head = f"== {name.replace('_', '-')}\n"
        text, count = re.subn(f"{head}( .*\n)*", lambda _, new=head + body: new, text)
        assert count == 1, name
    return text


def facts(**sections: str) -> Facts:
    """Return the facts of a machine like the recorded one."""
    return parse_facts(printed(**sections), before_s=ASKED_S, after_s=ASKED_S + 0.8)
