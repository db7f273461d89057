from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta, OwnerReference
from lightkube.resources.core_v1 import ConfigMap
from lightkube.types import CascadeType

from e2e.suite.controllers import meta, name_of

# ConfigMaps own ConfigMaps here, so that nothing but the garbage collector acts on them.
pytestmark = [
    pytest.mark.sig("api-machinery"),
    pytest.mark.needs("configmaps"),
    pytest.mark.depends("garbage-collector-controller"),
]

HOLD = "e2e.example.com/hold"


def create(client: Client, namespace: str, name: str, *owners: ConfigMap, hold: bool = False) -> ConfigMap:
    metadata = ObjectMeta(
        name=name,
        labels={"gc": "yes"},
        finalizers=[HOLD] if hold else None,
        ownerReferences=[reference(owner) for owner in owners],
    )
    return client.create(ConfigMap(metadata=metadata), namespace=namespace)


def reference(owner: ConfigMap) -> OwnerReference:
    uid = str(meta(owner).uid)
    return OwnerReference(apiVersion="v1", kind="ConfigMap", name=name_of(owner), uid=uid, blockOwnerDeletion=True)


def graph(client: Client, namespace: str) -> dict[str, list[str]]:
    """Return name -> names of owners, for what is still there."""
    return {
        name_of(item): [owner.name for owner in meta(item).ownerReferences or []]
        for item in client.list(ConfigMap, namespace=namespace, labels={"gc": "yes"})
    }


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning [Conformance]"
)
def test_background_deletion(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """Garbage collector should delete dependents of all levels in the background when their owner is deleted."""
    owner = create(client, namespace, "owner")
    child = create(client, namespace, "child", owner)
    create(client, namespace, "grandchild", child)
    create(client, namespace, "stranger")
    client.delete(ConfigMap, "owner", namespace=namespace, cascade=CascadeType.BACKGROUND)
    at_once = graph(client, namespace)

    assert "owner" not in at_once
    eventually(lambda: graph(client, namespace), until=lambda left: left == {"stranger": []})


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so [Serial] [Conformance]"
)
def test_orphaning(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """Garbage collector should keep dependents without their owner when deletion says to orphan them."""
    owner = create(client, namespace, "owner")
    other = create(client, namespace, "other")
    create(client, namespace, "child", owner)
    create(client, namespace, "shared", owner, other)
    client.delete(ConfigMap, "owner", namespace=namespace, cascade=CascadeType.ORPHAN)

    left = {"other": [], "child": [], "shared": ["other"]}
    eventually(lambda: graph(client, namespace), until=lambda found: found == left)


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Garbage collector should keep the rc around until all its pods are deleted if the deleteOptions "
    "says so [Serial] [Conformance]"
)
def test_foreground_deletion(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """Garbage collector should keep the owner until all its dependents are deleted when deletion is in the foreground."""
    owner = create(client, namespace, "owner")
    create(client, namespace, "child", owner)
    create(client, namespace, "held", owner, hold=True)
    client.delete(ConfigMap, "owner", namespace=namespace, cascade=CascadeType.FOREGROUND)
    eventually(lambda: graph(client, namespace), until=lambda left: left == {"owner": [], "held": ["owner"]})
    waiting = client.get(ConfigMap, "owner", namespace=namespace)
    client.patch(ConfigMap, "held", {"metadata": {"finalizers": None}}, namespace=namespace)

    assert meta(waiting).finalizers == ["foregroundDeletion"]
    eventually(lambda: graph(client, namespace), until=lambda left: left == {})


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's waiting "
    "for dependents to be deleted [Serial] [Conformance]"
)
def test_dependents_with_another_owner_stay(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """Garbage collector should keep dependents that have another owner, and drop only the reference to the deleted one."""
    owner = create(client, namespace, "owner")
    other = create(client, namespace, "other")
    create(client, namespace, "child", owner)
    create(client, namespace, "shared", owner, other)
    client.delete(ConfigMap, "owner", namespace=namespace, cascade=CascadeType.FOREGROUND)

    eventually(lambda: graph(client, namespace), until=lambda found: found == {"other": [], "shared": ["other"]})


@pytest.mark.conformance
@pytest.mark.cite("[sig-api-machinery] Garbage collector should not be blocked by dependency circle [Conformance]")
def test_circle_of_owners(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """Garbage collector should not be blocked by a circle of owners."""
    first = create(client, namespace, "first")
    second = create(client, namespace, "second", first)
    third = create(client, namespace, "third", second)
    owned = {"metadata": {"ownerReferences": [reference(third).to_dict()]}}
    client.patch(ConfigMap, "first", owned, namespace=namespace)
    client.delete(ConfigMap, "first", namespace=namespace, cascade=CascadeType.FOREGROUND)

    eventually(lambda: graph(client, namespace), until=lambda left: left == {})
