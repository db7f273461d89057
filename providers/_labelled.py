"""Finds and removes, inside a cluster that is not ours, exactly what carries a run's label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from providers.api import Api, ApiRefused
from providers.contracts import RUN_LABEL
from providers.discovery import Kind, discover

# Webhooks and policies first: one that points at a service of the run would block every later delete. Then namespaces,
# whose contents may be instances of the run's definitions; definitions and everything else after them.
_FIRST = (
    "validatingwebhookconfigurations",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicybindings",
    "validatingadmissionpolicies",
    "mutatingadmissionpolicies",
    "namespaces",
)


@dataclass(frozen=True, slots=True)
class Found:
    """One cluster-scoped object, namespaces included, that carries the run's label."""

    kind: Kind
    name: str

    @property
    def path(self) -> str:
        """Return the object's own path."""
        return f"{self.kind.path()}/{self.name}"


def deletable(api: Api, note: Callable[[str], None]) -> tuple[Kind, ...]:
    """Return the cluster-scoped kinds whose objects can be deleted, in the order in which they must be.

    ``note`` is told of groups that do not answer. What lies in the run's namespaces goes with them.
    """
    kinds = discover(api, lambda what, error: note(f"{what}: {error}"))
    return tuple(
        sorted(
            (kind for kind in kinds if not kind.namespaced and {"list", "delete"} <= kind.verbs),
            key=lambda kind: _FIRST.index(kind.plural) if kind.plural in _FIRST else len(_FIRST),
        )
    )


def labelled(api: Api, kinds: Iterable[Kind], value: str, note: Callable[[str], None]) -> tuple[Found, ...]:
    """Return the objects of ``kinds`` whose run label is ``value``, in that order.

    ``note`` is told what could not be listed.
    """
    return tuple(found for kind in kinds for found in _of_kind(api, kind, value, note))


def _of_kind(api: Api, kind: Kind, value: str, note: Callable[[str], None]) -> Iterator[Found]:
    try:
        for page in api.pages(kind.path(), {"labelSelector": f"{RUN_LABEL}={value}"}):
            for item in page:
                metadata = item.get("metadata") or {}
                # an extension server may ignore selectors: nothing without our mark is ever deleted
                if (metadata.get("labels") or {}).get(RUN_LABEL) == value:
                    yield Found(kind, str(metadata.get("name", "")))
    except ApiRefused as error:
        note(f"{kind.plural} cannot be listed: {error}")


def namespaces(api: Api, value: str) -> tuple[str, ...]:
    """Return the names of the namespaces whose run label is ``value``, sorted."""
    pages = api.pages("/api/v1/namespaces", {"labelSelector": f"{RUN_LABEL}={value}"})
    return tuple(sorted(str(item["metadata"]["name"]) for page in pages for item in page))
