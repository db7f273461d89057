from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.models.policy_v1 import PodDisruptionBudgetSpec
from lightkube.resources.core_v1 import Pod
from lightkube.resources.policy_v1 import PodDisruptionBudget

from e2e.suite.controllers import name_of, pods_of, replica_set
from e2e.suite.refusals import Refusal, refusal

pytestmark = [
    pytest.mark.sig("apps"),
    pytest.mark.needs("poddisruptionbudgets.policy", "pods", "create replicasets.apps"),
    pytest.mark.depends("disruption-controller", "replicaset-controller", "kube-scheduler"),
]

Eventually = Callable[..., Any]


@pytest.fixture
def guarded(client: Client, namespace: str, eventually: Eventually) -> list[str]:
    """Return the names of two running pods, of which a budget wants two."""
    client.create(replica_set("web", replicas=2), namespace=namespace)
    budget = PodDisruptionBudgetSpec(minAvailable=2, selector=LabelSelector(matchLabels={"app": "web"}))
    client.create(PodDisruptionBudget(metadata=ObjectMeta(name="web"), spec=budget), namespace=namespace)
    eventually(
        lambda: client.get(PodDisruptionBudget, "web", namespace=namespace).status,
        until=lambda s: (s.currentHealthy, s.desiredHealthy, s.disruptionsAllowed) == (2, 2, 0),
    )
    return [name_of(pod) for pod in pods_of(client, namespace, "web")]


def evict(client: Client, namespace: str, name: str) -> None:
    """Ask for the eviction of a pod."""
    client.create(Pod.Eviction(metadata=ObjectMeta(name=name)), name, namespace=namespace)


@pytest.mark.cite(
    "[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.needs("create pods/eviction")
def test_eviction_waits_for_the_budget(
    client: Client, namespace: str, guarded: list[str], eventually: Eventually
) -> None:
    """PodDisruptionBudget should block an eviction until it is changed to allow it."""
    assert refusal(lambda: evict(client, namespace, guarded[0])) == Refusal(429, "TooManyRequests", "")
    assert [name_of(pod) for pod in pods_of(client, namespace, "web")] == guarded
    client.patch(PodDisruptionBudget, "web", {"spec": {"minAvailable": 1}}, namespace=namespace)
    eventually(
        lambda: client.get(PodDisruptionBudget, "web", namespace=namespace).status,
        until=lambda status: status.disruptionsAllowed == 1,
    )
    evict(client, namespace, guarded[0])

    eventually(
        lambda: [name_of(p) for p in pods_of(client, namespace, "web")], until=lambda names: guarded[0] not in names
    )


@pytest.mark.cite("docs/tasks/run-application/configure-pdb#think-about-how-your-application-reacts-to-disruptions")
def test_deletion_ignores_the_budget(
    client: Client, namespace: str, guarded: list[str], eventually: Eventually
) -> None:
    """PodDisruptionBudget should not block the deletion of a pod, and should count the loss."""
    client.patch(Pod, guarded[0], {"metadata": {"finalizers": ["e2e.test/hold"]}}, namespace=namespace)
    client.delete(Pod, guarded[0], namespace=namespace)

    eventually(
        lambda: [name_of(p) for p in pods_of(client, namespace, "web")], until=lambda names: guarded[0] not in names
    )
    client.patch(Pod, guarded[0], {"metadata": {"finalizers": None}}, namespace=namespace)
    eventually(
        lambda: client.get(PodDisruptionBudget, "web", namespace=namespace).status,
        until=lambda s: (s.currentHealthy, s.expectedPods) == (2, 2),
    )
