from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod
from lightkube.resources.scheduling_v1 import PriorityClass

from e2e.suite.controllers import conditions, exactly, name_of
from e2e.suite.hollow import OWN_NODE, MakeNode, on_own_node
from e2e.suite.refusals import Refusal, refusal
from e2e.suite.workloads import pod

pytestmark = [
    pytest.mark.sig("scheduling"),
    pytest.mark.needs("pods", "create,delete,patch priorityclasses.scheduling.k8s.io"),
    pytest.mark.cluster_scoped,
]

Eventually = Callable[..., Any]


MakeClass = Callable[..., str]


@pytest.fixture
def make_class(client: Client, namespace: str, create_global: Callable[..., Any], eventually: Eventually) -> MakeClass:
    """Return a function that creates a priority class of this test and returns its name, once pods may use it."""

    def make(name: str, value: int, **fields: Any) -> str:
        full = f"{namespace}-{name}"
        create_global(PriorityClass(metadata=ObjectMeta(name=full), value=value, **fields))
        probe = pod("probe", priorityClassName=full)
        # admission looks classes up in a cache that follows a moment later
        eventually(lambda: client.create(probe, namespace=namespace, dry_run=True), what=f"pods may use {full}")
        return full

    return make


@pytest.mark.cite("[sig-scheduling] SchedulerPreemption [Serial] validates basic preemption works [Conformance]")
@pytest.mark.requires("hollow-nodes")
@pytest.mark.depends("kube-scheduler")
@pytest.mark.preempts
@pytest.mark.needs(OWN_NODE)
def test_higher_priority_preempts(
    client: Client, namespace: str, make_class: MakeClass, own_node: MakeNode, eventually: Eventually
) -> None:
    """Scheduler should evict a pod of lower priority from a full node for one of higher priority."""
    node = own_node(cpu="1")
    fields = on_own_node(namespace, requests={"cpu": "700m"})
    client.create(pod("low", priorityClassName=make_class("low", 1000), **fields), namespace=namespace)
    eventually(lambda: client.get(Pod, "low", namespace=namespace).spec.nodeName, until=exactly(node))  # type: ignore[union-attr]  # a missing spec is not yet
    client.create(pod("high", priorityClassName=make_class("high", 2000), **fields), namespace=namespace)

    eventually(lambda: client.get(Pod, "high", namespace=namespace).spec.nodeName, until=exactly(node))  # type: ignore[union-attr]  # see above
    assert [name_of(p) for p in client.list(Pod, namespace=namespace)] == ["high"]


@pytest.mark.cite("docs/concepts/scheduling-eviction/pod-priority-preemption#non-preempting-priority-class")
@pytest.mark.requires("hollow-nodes")
@pytest.mark.depends("kube-scheduler")
@pytest.mark.needs(OWN_NODE)
def test_non_preempting_pod_waits(
    client: Client, namespace: str, make_class: MakeClass, own_node: MakeNode, eventually: Eventually
) -> None:
    """Scheduler should not evict anything for a pod whose preemption policy is Never."""
    node = own_node(cpu="1")
    fields = on_own_node(namespace, requests={"cpu": "700m"})
    client.create(pod("low", priorityClassName=make_class("low", 1000), **fields), namespace=namespace)
    eventually(lambda: client.get(Pod, "low", namespace=namespace).spec.nodeName, until=exactly(node))  # type: ignore[union-attr]  # a missing spec is not yet
    never = make_class("never", 9000, preemptionPolicy="Never")
    client.create(pod("patient", priorityClassName=never, **fields), namespace=namespace)

    eventually(
        lambda: conditions(client.get(Pod, "patient", namespace=namespace)).get("PodScheduled"),
        until=exactly(("False", "Unschedulable")),
    )
    assert sorted(name_of(p) for p in client.list(Pod, namespace=namespace)) == ["low", "patient"]
    client.delete(Pod, "low", namespace=namespace)
    eventually(lambda: client.get(Pod, "patient", namespace=namespace).spec.nodeName, until=exactly(node))  # type: ignore[union-attr]  # see above


@pytest.mark.cite(
    "docs/concepts/scheduling-eviction/pod-priority-preemption#effect-of-pod-priority-on-scheduling-order"
)
def test_class_sets_the_priority(client: Client, namespace: str, make_class: MakeClass) -> None:
    """PriorityClass should set the priority of a pod that names it, and an unknown name should be refused."""
    made = client.create(pod("named", priorityClassName=make_class("high", 2000)), namespace=namespace)
    assert made.spec
    unknown = pod("unknown", priorityClassName=f"{namespace}-nobody")

    assert (made.spec.priority, made.spec.preemptionPolicy) == (2000, "PreemptLowerPriority")
    assert refusal(lambda: client.create(unknown, namespace=namespace)) == Refusal(403, "Forbidden", "")


@pytest.mark.cite(
    "[sig-scheduling] SchedulerPreemption [Serial] PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods [Conformance]"
)
@pytest.mark.conformance
def test_value_is_immutable(client: Client, make_class: MakeClass) -> None:
    """PriorityClass should take a new description and refuse a new value."""
    name = make_class("low", 1000, description="first")
    changed = client.patch(PriorityClass, name, {"description": "changed"})
    refused = refusal(lambda: client.patch(PriorityClass, name, {"value": 7}))

    assert changed.description == "changed"
    assert (refused, refused.fields) == (Refusal(422, "Invalid", ""), ("value",))
