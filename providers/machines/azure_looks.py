"""What can be told of machines in Azure from outside: what they wrote to their serial consoles, and what befell them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from providers.machines.azure_api import AzureApi
from providers.machines.azure_resources import GROUP
from providers.machines.beside import beside, gather
from providers.machines.marks import Mark
from providers.machines.outside import befallen, keep_consoles, known_machines

_FINE = frozenset({"running", "starting", ""})  # empty: not told yet


def save_consoles(api: AzureApi, mark: Mark, folder: Path) -> Mapping[str, Path]:
    """Write what each machine wrote to its console into the folder; return node -> file. One that says nothing is left out."""
    group = mark.name(GROUP)
    return keep_consoles(
        folder, mark, beside(api, {name: partial(api.console, group, name) for name in known_machines(folder)})
    )


def fates(api: AzureApi, mark: Mark, folder: Path, *, spot: bool) -> Mapping[str, str]:
    """Return node -> what befell it, for those whose machine does not run any more."""
    group = mark.name(GROUP)
    looks = {name: partial(api.power, group, name) for name in known_machines(folder)}
    states = gather(api, "looking at machines", looks)
    return befallen(
        mark, {name: state for name, state in states.items() if state not in _FINE}, cloud="Azure", spot=spot
    )
