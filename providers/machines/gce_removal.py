"""Finds what runs left in a project by marks alone, and removes it in the order of what depends on what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from providers.contracts import Resource
from providers.lookout import Marked
from providers.machines.beside import beside, gather
from providers.machines.gce_api import GceApi
from providers.machines.gce_errors import Conflict
from providers.machines.gce_resources import KINDS, Kind
from providers.machines.marks import Mark
from upload.errors import ProviderError, raise_all

T = TypeVar("T")
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 20.0


@dataclass(frozen=True, slots=True)
class Found:
    """Something that carries a mark. ``place``: its zone or region, empty for what is global."""

    kind: Kind
    place: str
    name: str
    mark: Mark

    @property
    def resource(self) -> Resource:
        """The same as reports call it."""
        return Resource(f"gce {self.kind.one}", f"{self.place}/{self.name}" if self.place else self.name)

    @property
    def marked(self) -> Marked:
        """The same with whose it is."""
        return Marked(self.resource, self.mark.slug, self.mark.owner, self.mark.expires_s)


def find(api: GceApi, mark: Mark | None) -> tuple[Found, ...]:
    """Return what carries the mark of one run, or of any run. Nothing without a mark is ever returned."""
    listed = gather(api, "listing", {kind.many: partial(api.list, kind, kind.filter_of(mark)) for kind in KINDS})
    found = (
        Found(kind, place_of(kind, each), each["name"], carried)
        for kind in KINDS
        for each in listed[kind.many]
        if (carried := kind.mark(each)) is not None
    )
    return tuple(each for each in found if mark is None or each.mark.slug == mark.slug)


def remove(api: GceApi, look: Callable[[], tuple[Found, ...]]) -> None:
    """Delete what ``look`` finds until it finds nothing, in stages, each at once; conflicts are tried again.

    Raises: ProviderError with what the service says about each that cannot be deleted; DeadlineExceeded.
    """
    pause_s = _PAUSE_S
    while found := look():
        errors: list[Exception] = []
        for stage in sorted({each.kind.stage for each in found}):
            jobs = {
                each.resource.name: partial(api.delete, each.kind, each.place, each.name)
                for each in found
                if each.kind.stage == stage
            }
            errors += [error for error in beside(api, jobs).values() if error is not None]
        if final := [error for error in errors if not isinstance(error, Conflict)]:
            raise_all("deleting", final)
        if errors and api.deadline.remaining_s() <= pause_s:
            raise_all("deleting", errors)
        api.deadline.check()
        if errors or pause_s > _PAUSE_S:
            threading.Event().wait(min(pause_s, api.deadline.remaining_s()))
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


def check_ours(kind: Kind, mark: Mark, there: Mapping[str, Any]) -> None:
    """Raise ProviderError for something of a name of ours that does not carry the run's mark."""
    carried = kind.mark(there)
    if carried is None or carried.slug != mark.slug:
        what = f"there is a {kind.one} {there['name']} without this run's mark: it is left alone"
        raise ProviderError(what, hint=f"gcloud compute {kind.many} describe {there['name']}")


def place_of(kind: Kind, resource: Mapping[str, Any]) -> str:
    """Return the zone or region of something that was listed, empty for what is global."""
    return "" if kind.scope == "global" else str(resource.get(kind.scope, "")).rpartition("/")[2]
