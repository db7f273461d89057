"""What kinds of objects an API server has, and how each is listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from providers.api import Api, ApiUnreachable
from upload.errors import ProviderError

Problem = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object in the version that is listed. ``group`` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def api_version(self) -> str:
        """What objects of this kind carry as ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "") -> str:
        """Return the path of the list: of one namespace, or of all."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


def discover(api: Api, problem: Problem) -> tuple[Kind, ...]:
    """Return every kind that can be listed, once, in the version that its group prefers.

    ``problem`` is told (path, error) of a group that does not answer, such as one whose extension server is down; the
    others are returned all the same. Raises: ProviderError when there is no answer at all.
    """
    kinds: dict[tuple[str, str], Kind] = {}
    for group, version in _group_versions(api):
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            resources = api.get(path).get("resources") or []
        except ApiUnreachable:
            raise
        except ProviderError as error:
            problem(path, str(error))
            continue
        for resource in resources:
            kind = _kind(group, version, resource)
            if kind and "list" in kind.verbs:
                kinds.setdefault((kind.group, kind.plural), kind)
    return tuple(kinds.values())


def _group_versions(api: Api) -> list[tuple[str, str]]:
    """Return (group, version) with the preferred version of each group first."""
    found = [("", "v1")]
    for group in api.get("/apis").get("groups") or []:
        name = str(group.get("name", ""))
        preferred = str((group.get("preferredVersion") or {}).get("version", ""))
        versions = [str(entry.get("version", "")) for entry in group.get("versions") or []]
        found += [(name, version) for version in sorted(versions, key=lambda version: version != preferred)]
    return found


def _kind(group: str, version: str, resource: dict[str, Any]) -> Kind | None:
    plural = str(resource.get("name", ""))
    if not plural or "/" in plural:  # a subresource
        return None
    return Kind(
        group=group,
        version=version,
        plural=plural,
        kind=str(resource.get("kind", "")),
        namespaced=bool(resource.get("namespaced")),
        verbs=frozenset(resource.get("verbs") or ()),
    )
