"""What came into a project while a run was there and carries no mark: a leak that no mark tells. It is named, never deleted.

Source: the check of 2016, which compared listings from before and after.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from providers._private import write_private
from providers.machines.beside import gather
from providers.machines.gce_api import GceApi
from providers.machines.gce_removal import place_of
from providers.machines.gce_resources import KINDS
from upload.errors import ProviderError

BEFORE = "before.json"


def note_before(api: GceApi, folder: Path) -> None:
    """Write down what is in the project before a run makes anything; a later call changes nothing."""
    if not (folder / BEFORE).exists():
        write_private(folder / BEFORE, {"unmarked": unmarked(api)})


def check_after(api: GceApi, folder: Path) -> None:
    """Raise ProviderError with the names of what came meanwhile. It is told once: the next call finds nothing to compare.

    Without the run's folder there is nothing to compare either.
    """
    noted = folder / BEFORE
    if not noted.exists():
        return
    came = sorted(set(unmarked(api)) - set(json.loads(noted.read_text(encoding="utf-8"))["unmarked"]))
    noted.unlink()
    if came:
        what = f"came into project {api.project} during the run without a mark, and is left alone: {', '.join(came)}"
        raise ProviderError(what, hint="delete it, or say shared_project: true where others work in the project, too")


def unmarked(api: GceApi) -> tuple[str, ...]:
    """Return the names of all that carries no mark, of the types that we make."""
    listed = gather(api, "listing", {kind.many: partial(api.list, kind, "") for kind in KINDS})
    return tuple(
        f"{kind.one} {place_of(kind, each)}/{each['name']}".replace(" /", " ")
        for kind in KINDS
        for each in listed[kind.many]
        if kind.mark(each) is None
    )
