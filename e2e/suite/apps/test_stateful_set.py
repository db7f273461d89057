from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.apps_v1 import RollingUpdateStatefulSetStrategy, StatefulSetUpdateStrategy
from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import Pod

from e2e.suite.controllers import GATE, exactly, let_go, meta, name_of, pods_of, stateful_set

pytestmark = [
    pytest.mark.sig("apps"),
    pytest.mark.needs("statefulsets.apps", "pods"),
    pytest.mark.depends("statefulset-controller", "kube-scheduler"),
]

Eventually = Callable[..., Any]


def names(client: Client, namespace: str) -> list[str]:
    return [name_of(pod) for pod in pods_of(client, namespace, "db")]


def versions(client: Client, namespace: str) -> dict[str, str]:
    """Return the annotation ``v`` of each pod."""
    return {name_of(pod): (meta(pod).annotations or {}).get("v", "") for pod in pods_of(client, namespace, "db")}


def ready(client: Client, namespace: str) -> int:
    status = client.get(StatefulSet, "db", namespace=namespace).status
    return (status.readyReplicas or 0) if status else 0


@pytest.mark.cite(
    "[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Scaling should happen in predictable order and halt if any stateful pod is unhealthy [Slow] [Conformance]"
)
@pytest.mark.conformance
def test_pods_start_in_order(client: Client, namespace: str, eventually: Eventually) -> None:
    """StatefulSet should start each pod only when the one before it is ready."""
    client.create(stateful_set("db", replicas=3, pod={"schedulingGates": [GATE]}), namespace=namespace)
    for last in range(3):
        expected = [f"db-{ordinal}" for ordinal in range(last + 1)]
        eventually(lambda: names(client, namespace), until=exactly(expected))
        assert ready(client, namespace) <= last
        let_go(client, client.get(Pod, f"db-{last}", namespace=namespace))

    eventually(lambda: ready(client, namespace), until=exactly(3))


@pytest.mark.cite("docs/concepts/workloads/controllers/statefulset#deployment-and-scaling-guarantees")
@pytest.mark.needs("patch statefulsets.apps/scale")
def test_scale_down_takes_the_highest_ordinal(client: Client, namespace: str, eventually: Eventually) -> None:
    """StatefulSet should scale down from the highest ordinal, one pod after the other."""
    client.create(stateful_set("db", replicas=3, podManagementPolicy="OrderedReady"), namespace=namespace)
    eventually(lambda: ready(client, namespace), until=exactly(3))
    client.patch(Pod, "db-2", {"metadata": {"finalizers": ["e2e.test/hold"]}}, namespace=namespace)
    client.patch(StatefulSet.Scale, "db", {"spec": {"replicas": 1}}, namespace=namespace)

    eventually(lambda: names(client, namespace), until=exactly(["db-0", "db-1"]), what="db-2 is being deleted first")
    client.patch(Pod, "db-2", {"metadata": {"finalizers": None}}, namespace=namespace)
    eventually(lambda: names(client, namespace), until=exactly(["db-0"]))


@pytest.mark.cite(
    "[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform canary updates and phased rolling updates of template modifications [Conformance]"
)
@pytest.mark.conformance
def test_partition_holds_back_lower_ordinals(client: Client, namespace: str, eventually: Eventually) -> None:
    """StatefulSet should update only ordinals at or above its partition, and the rest when the partition is lowered."""
    strategy = StatefulSetUpdateStrategy(
        type="RollingUpdate", rollingUpdate=RollingUpdateStatefulSetStrategy(partition=2)
    )
    client.create(stateful_set("db", replicas=3, updateStrategy=strategy), namespace=namespace)
    eventually(lambda: ready(client, namespace), until=exactly(3))
    change = {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}
    client.patch(StatefulSet, "db", change, namespace=namespace)

    eventually(lambda: versions(client, namespace), until=exactly({"db-0": "", "db-1": "", "db-2": "2"}))
    eventually(
        lambda: client.get(StatefulSet, "db", namespace=namespace).status,
        until=lambda status: (status.updatedReplicas, status.readyReplicas) == (1, 3),
    )
    lowered = {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}
    client.patch(StatefulSet, "db", lowered, namespace=namespace)
    eventually(lambda: versions(client, namespace), until=exactly({"db-0": "2", "db-1": "2", "db-2": "2"}))


@pytest.mark.cite(
    "[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Should recreate evicted statefulset [Conformance]"
)
def test_deleted_pod_returns_under_its_name(client: Client, namespace: str, eventually: Eventually) -> None:
    """StatefulSet should recreate a deleted pod under the same name."""
    client.create(stateful_set("db", replicas=2), namespace=namespace)
    eventually(lambda: ready(client, namespace), until=exactly(2))
    before = meta(client.get(Pod, "db-0", namespace=namespace)).uid
    client.delete(Pod, "db-0", namespace=namespace)

    eventually(lambda: meta(client.get(Pod, "db-0", namespace=namespace)).uid, until=lambda uid: uid != before)
    eventually(lambda: ready(client, namespace), until=exactly(2))
