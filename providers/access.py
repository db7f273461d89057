"""Asks a cluster, before the first case, whether its user may do what the selected cases need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from providers.api import Api

USUAL = ("create", "delete", "get", "list", "patch")  # what a resource without verbs asks for

_VERBS = re.compile(r"[a-z]+(,[a-z]+)*")
_RESOURCE = re.compile(r"(?P<resource>[a-z]+)(\.(?P<group>[a-z0-9.-]+|\*))?(/(?P<subresource>[a-z]+))?")
_URL = re.compile(r"/[A-Za-z0-9._/-]*")


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One permission. ``group`` empty: the core group; ``namespace`` empty: cluster-wide.

    ``resource`` that begins with a slash: a path of the API server that is no resource, such as ``/metrics``.
    """

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        """Return the permission as ``kubectl auth can-i`` takes it."""
        if self.is_url:
            return f"{self.verb} {self.resource}"
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        subresource = f" --subresource={self.subresource}" if self.subresource else ""
        where = f" -n {self.namespace}" if self.namespace else " -A"
        return f"{self.verb} {resource}{subresource}{where}"

    @property
    def is_url(self) -> bool:
        """Whether it is about a path and no resource."""
        return self.resource.startswith("/")

    @property
    def declared(self) -> str:
        """Return a cluster-wide permission as ``parse_needs`` reads it."""
        group = f".{self.group}" if self.group else ""
        subresource = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {self.resource}{group}{subresource}"


def parse_needs(text: str) -> tuple[Need, ...]:
    """Return the cluster-wide permissions that a text such as ``get,list pods`` declares, one for each verb.

    Forms: ``[VERB[,VERB…] ]RESOURCE[.GROUP][/SUBRESOURCE]``, without verbs create, delete, get, list and patch; and
    ``VERB[,VERB…] /PATH``. Raises: ValueError that says which part is wrong.
    """
    verbs, _, what = text.rpartition(" ")
    if verbs and not _VERBS.fullmatch(verbs):
        raise ValueError(f"{text!r}: {verbs!r} are no verbs separated by commas")
    if what.startswith("/"):
        if not verbs or not _URL.fullmatch(what):
            raise ValueError(f"{text!r}: a path is declared as 'get /metrics'")
        return tuple(Need(verb, what) for verb in verbs.split(","))
    found = _RESOURCE.fullmatch(what)
    if found is None:
        raise ValueError(f"{text!r}: {what!r} is no resource such as 'deployments.apps' or 'pods/eviction'")
    parts = {name: value or "" for name, value in found.groupdict().items()}
    return tuple(Need(verb, **parts) for verb in (verbs.split(",") if verbs else USUAL))


def missing_permissions(kubeconfig: Path, needs: Iterable[Need], *, trust_env: bool = True) -> tuple[Need, ...]:
    """Return those of ``needs`` that the cluster denies, sorted, each once.

    Asked by SelfSubjectAccessReview, which every authenticated user may create. Raises: ProviderError.
    """
    from providers.api import Api

    with Api(kubeconfig, trust_env=trust_env) as api:
        return tuple(need for need in sorted(set(needs)) if not _is_allowed(api, need))


def _is_allowed(api: Api, need: Need) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": _attributes(need),
    }
    answer = api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool((answer.get("status") or {}).get("allowed"))


def _attributes(need: Need) -> dict[str, dict[str, str]]:
    if need.is_url:
        return {"nonResourceAttributes": {"verb": need.verb, "path": need.resource}}
    attributes = {
        "verb": need.verb,
        "group": need.group,
        "resource": need.resource,
        "subresource": need.subresource,
        "namespace": need.namespace,
    }
    return {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
