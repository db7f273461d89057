"""What can be told of instances from outside: what they wrote to their serial consoles, and what befell them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from providers.machines.beside import beside, gather
from providers.machines.gce_api import GceApi
from providers.machines.gce_resources import INSTANCE
from providers.machines.marks import Mark

PLACES = "places.json"
TAKEN_AWAY = "spot machines may be taken away at any time: run again"


def known_places(folder: Path) -> dict[str, str]:
    """Return instance -> the zone that it was last asked for in, of all that a run asked for."""
    known = folder / PLACES
    found: dict[str, str] = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    return found


def save_consoles(api: GceApi, mark: Mark, folder: Path) -> Mapping[str, Path]:
    """Write what each machine wrote to its console into the folder; return machine -> file. One that says nothing is left out."""
    zones = known_places(folder)
    said = beside(api, {name: partial(_console, api, zone, name) for name, zone in zones.items()})
    into = folder / "consoles"
    into.mkdir(mode=0o700, exist_ok=True)
    saved = {}
    for name, text in said.items():
        if isinstance(text, str) and text:
            saved[_node(mark, name)] = into / name
            (into / name).write_text(text, encoding="utf-8", errors="replace")
    return saved


def fates(api: GceApi, mark: Mark, folder: Path, *, spot: bool) -> Mapping[str, str]:
    """Return machine -> what befell it, for those that do not run any more."""
    zones = known_places(folder)
    looks = {name: partial(api.get, INSTANCE, zone, name) for name, zone in zones.items()}
    shown = gather(api, "looking at machines", looks)
    statuses = {name: str((shown[name] or {}).get("status", "gone")) for name in zones}
    because = f"; {TAKEN_AWAY}" if spot else ""
    return {_node(mark, name): f"it is {s} in GCE{because}" for name, s in statuses.items() if s != "RUNNING"}


def _console(api: GceApi, zone: str, name: str) -> str:
    where: dict[str, Any] = {"project": api.project, "zone": zone, "instance": name, "port": 1}
    what = f"reading the console of {name}"
    found = api.ask(what, "instances", "get_serial_port_output", where, missing=True)
    return str((found or {}).get("contents", ""))


def _node(mark: Mark, name: str) -> str:
    return name.removeprefix(mark.name(""))
