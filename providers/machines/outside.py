"""What can be told of machines from outside, when they let nobody in: shared by the clouds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from providers.machines.marks import Mark

TAKEN_AWAY = "spot machines may be taken away at any time: run again"
_FILE = "places.json"


def known_machines(folder: Path) -> dict[str, Any]:
    """Return machine -> where it was last asked for, of all that a run asked for. Lists are late, so it is written down."""
    known = folder / _FILE
    found: dict[str, Any] = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    return found


def note_machines(folder: Path, known: Mapping[str, Any]) -> None:
    """Write down which machines are about to be asked for, and where."""
    from providers._private import write_private

    write_private(folder / _FILE, dict(known))


def keep_consoles(folder: Path, mark: Mark, said: Mapping[str, str | Exception]) -> Mapping[str, Path]:
    """Write what each machine wrote to its console into the folder; return node -> file. One that says nothing is left out."""
    into = folder / "consoles"
    into.mkdir(mode=0o700, exist_ok=True)
    saved = {}
    for name, text in said.items():
        if isinstance(text, str) and text:
            saved[node_of(mark, name)] = into / name
            (into / name).write_text(text, encoding="utf-8", errors="replace")
    return saved


def befallen(mark: Mark, states: Mapping[str, str], *, cloud: str, spot: bool) -> Mapping[str, str]:
    """Return node -> what befell it. ``states``: those that a machine should not be in, in the cloud's words."""
    because = f"; {TAKEN_AWAY}" if spot else ""
    return {node_of(mark, name): f"it is {state} in {cloud}{because}" for name, state in states.items()}


def node_of(mark: Mark, name: str) -> str:
    """Return the node that a machine is."""
    return name.removeprefix(mark.name(""))
