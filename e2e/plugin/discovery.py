"""What kinds of objects a cluster serves, asked in two requests (aggregated discovery)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PAGE = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind that can be listed, in the version its group prefers. ``prefix``: ``/api/v1`` or ``/apis/<group>/<version>``."""

    prefix: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """Return ``v1`` or ``<group>/<version>``."""
        return self.prefix.split("/", 2)[2]

    def path(self, namespace: str = "") -> str:
        """Return the path of its list, in one namespace or everywhere."""
        return f"{self.prefix}/namespaces/{namespace}/{self.plural}" if namespace else f"{self.prefix}/{self.plural}"


def kinds(http: httpx2.Client) -> tuple[Kind, ...]:
    """Return every kind that can be listed. Raises httpx2.HTTPError."""
    found: list[Kind] = []
    for root in ("/api", "/apis"):
        answer = http.get(root, headers={"Accept": AGGREGATED})
        answer.raise_for_status()
        for group in answer.json()["items"]:
            found.extend(_of_group(root, group))
    return tuple(kind for kind in found if "list" in kind.verbs)


def _of_group(root: str, group: Mapping[str, Any]) -> Iterator[Kind]:
    name = group.get("metadata", {}).get("name", "")
    seen: set[str] = set()  # the preferred version comes first
    for version in group.get("versions", []):
        prefix = "/".join(part for part in (root, name, version["version"]) if part)
        for resource in version.get("resources", []):
            if resource["resource"] not in seen:
                seen.add(resource["resource"])
                yield Kind(
                    prefix=prefix,
                    plural=resource["resource"],
                    kind=resource.get("responseKind", {}).get("kind", ""),
                    namespaced=resource.get("scope") == "Namespaced",
                    verbs=frozenset(resource.get("verbs", [])),
                )


def objects(http: httpx2.Client, kind: Kind, *, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
    """Return the first 500 objects of a kind, each with its apiVersion and kind. Raises httpx2.HTTPError."""
    params = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
    answer = http.get(kind.path(namespace), params=params)
    answer.raise_for_status()
    return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in answer.json().get("items") or []]
