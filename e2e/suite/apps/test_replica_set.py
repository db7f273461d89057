from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.apps_v1 import ReplicaSet
from lightkube.resources.core_v1 import Pod

from e2e.suite.controllers import exactly, name_of, owner_of, pods_of, replica_set
from e2e.suite.workloads import pod

pytestmark = [
    pytest.mark.sig("apps"),
    pytest.mark.needs("replicasets.apps", "pods"),
    pytest.mark.depends("replicaset-controller"),
]

Eventually = Callable[..., Any]


@pytest.mark.cite(
    "[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods [Conformance]"
)
@pytest.mark.conformance
def test_adoption_and_release(client: Client, namespace: str, eventually: Eventually) -> None:
    """ReplicaSet should adopt a matching pod, and release and replace one that matches no longer."""
    client.create(pod("orphan", labels={"app": "web"}), namespace=namespace)
    client.create(replica_set("web", replicas=1), namespace=namespace)
    eventually(lambda: owner_of(client.get(Pod, "orphan", namespace=namespace)), until=exactly(("ReplicaSet", "web")))
    assert [name_of(p) for p in pods_of(client, namespace, "web")] == ["orphan"]
    client.patch(Pod, "orphan", {"metadata": {"labels": {"app": "other"}}}, namespace=namespace)

    eventually(lambda: owner_of(client.get(Pod, "orphan", namespace=namespace)), until=lambda owner: owner is None)
    (other,) = eventually(lambda: pods_of(client, namespace, "web"), until=lambda found: len(found) == 1)
    assert owner_of(other) == ("ReplicaSet", "web")


@pytest.mark.cite("docs/concepts/workloads/controllers/replicaset#how-a-replicaset-works")
def test_deleted_pod_is_replaced(client: Client, namespace: str, eventually: Eventually) -> None:
    """ReplicaSet should replace a pod that was deleted."""
    client.create(replica_set("web", replicas=2), namespace=namespace)
    first, second = eventually(lambda: pods_of(client, namespace, "web"), until=lambda found: len(found) == 2)
    client.delete(Pod, name_of(first), namespace=namespace)

    now = eventually(
        lambda: {name_of(p) for p in pods_of(client, namespace, "web")},
        until=lambda names: len(names) == 2 and name_of(first) not in names,
    )
    assert name_of(second) in now


@pytest.mark.cite("[sig-apps] ReplicaSet Replicaset should have a working scale subresource [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("get,patch replicasets.apps/scale")
def test_scale_subresource(client: Client, namespace: str, eventually: Eventually) -> None:
    """ReplicaSet should follow its scale subresource."""
    client.create(replica_set("web", replicas=1), namespace=namespace)
    client.patch(ReplicaSet.Scale, "web", {"spec": {"replicas": 3}}, namespace=namespace)

    eventually(lambda: len(pods_of(client, namespace, "web")), until=exactly(3))
    scale = eventually(
        lambda: client.get(ReplicaSet.Scale, "web", namespace=namespace), until=lambda s: s.status.replicas == 3
    )
    assert (scale.spec.replicas, scale.status.selector) == (3, "app=web")


@pytest.mark.cite("[sig-apps] ReplicaSet should serve a basic image on each replica with a public image [Conformance]")
@pytest.mark.depends("kube-scheduler")
def test_running_replicas_are_counted(client: Client, namespace: str, eventually: Eventually) -> None:
    """ReplicaSet should count fully labelled, ready and available replicas in its status."""
    client.create(replica_set("web", replicas=2), namespace=namespace)

    def counted() -> tuple[int | None, ...]:
        status = client.get(ReplicaSet, "web", namespace=namespace).status
        assert status
        return status.replicas, status.fullyLabeledReplicas, status.readyReplicas, status.availableReplicas

    eventually(counted, until=exactly((2, 2, 2, 2)))
