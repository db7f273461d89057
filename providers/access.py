"""Asks a cluster, before the first case, whether its user may do what the selected cases need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from providers.api import Api


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One permission. ``group`` empty: the core group; ``namespace`` empty: cluster-wide."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        """Return the permission as ``kubectl auth can-i`` takes it."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        subresource = f" --subresource={self.subresource}" if self.subresource else ""
        where = f" -n {self.namespace}" if self.namespace else " -A"
        return f"{self.verb} {resource}{subresource}{where}"


def missing_permissions(kubeconfig: Path, needs: Iterable[Need], *, trust_env: bool = True) -> tuple[Need, ...]:
    """Return those of ``needs`` that the cluster denies, sorted, each once.

    Asked by SelfSubjectAccessReview, which every authenticated user may create. Raises: ProviderError.
    """
    with Api(kubeconfig, trust_env=trust_env) as api:
        return tuple(need for need in sorted(set(needs)) if not _is_allowed(api, need))


def _is_allowed(api: Api, need: Need) -> bool:
    attributes = {
        "verb": need.verb,
        "group": need.group,
        "resource": need.resource,
        "subresource": need.subresource,
        "namespace": need.namespace,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    answer = api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool((answer.get("status") or {}).get("allowed"))
