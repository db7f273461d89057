"""What can be told of instances from outside: what they wrote to their serial consoles, and what befell them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from providers.machines.beside import beside, gather
from providers.machines.gce_api import GceApi
from providers.machines.gce_resources import INSTANCE
from providers.machines.marks import Mark
from providers.machines.outside import befallen, keep_consoles, known_machines


def save_consoles(api: GceApi, mark: Mark, folder: Path) -> Mapping[str, Path]:
    """Write what each machine wrote to its console into the folder; return node -> file. One that says nothing is left out."""
    zones = known_machines(folder)
    return keep_consoles(
        folder, mark, beside(api, {name: partial(_console, api, zone, name) for name, zone in zones.items()})
    )


def fates(api: GceApi, mark: Mark, folder: Path, *, spot: bool) -> Mapping[str, str]:
    """Return node -> what befell it, for those whose instance does not run any more."""
    zones = known_machines(folder)
    looks = {name: partial(api.get, INSTANCE, zone, name) for name, zone in zones.items()}
    shown = gather(api, "looking at machines", looks)
    states = {name: str((shown[name] or {}).get("status", "gone")) for name in zones}
    return befallen(mark, {name: state for name, state in states.items() if state != "RUNNING"}, cloud="GCE", spot=spot)


def _console(api: GceApi, zone: str, name: str) -> str:
    where: dict[str, Any] = {"project": api.project, "zone": zone, "instance": name, "port": 1}
    what = f"reading the console of {name}"
    found = api.ask(what, "instances", "get_serial_port_output", where, missing=True)
    return str((found or {}).get("contents", ""))
