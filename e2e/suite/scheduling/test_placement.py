from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.core_v1 import TopologySpreadConstraint
from lightkube.models.meta_v1 import LabelSelector
from lightkube.resources.core_v1 import Node, Pod

from e2e.suite.controllers import GATE, conditions, exactly, let_go, node_of
from e2e.suite.hollow import OWN_NODE, MakeNode, on_own_node
from e2e.suite.workloads import pod

pytestmark = [pytest.mark.sig("scheduling"), pytest.mark.needs("pods"), pytest.mark.depends("kube-scheduler")]

Eventually = Callable[..., Any]
UNSCHEDULABLE = ("False", "Unschedulable")
HOSTNAME = "kubernetes.io/hostname"


def scheduled(client: Client, namespace: str, name: str) -> tuple[str, str] | None:
    """Return status and reason of a pod's condition PodScheduled."""
    return conditions(client.get(Pod, name, namespace=namespace)).get("PodScheduled")


@pytest.mark.cite(
    "[sig-scheduling] SchedulerPredicates [Serial] validates resource limits of pods that are allowed to run [Conformance]"
)
@pytest.mark.cluster_scoped
@pytest.mark.requires("hollow-nodes")
@pytest.mark.needs(OWN_NODE)
def test_full_node_takes_no_more(client: Client, namespace: str, own_node: MakeNode, eventually: Eventually) -> None:
    """Scheduler should leave a pod pending when no node has the CPU it requests, until some is freed."""
    node = own_node(cpu="2")
    fields = on_own_node(namespace, requests={"cpu": "1500m"})
    client.create(pod("first", **fields), namespace=namespace)
    eventually(lambda: node_of(client, namespace, "first"), until=exactly(node))
    client.create(pod("second", **fields), namespace=namespace)

    eventually(lambda: scheduled(client, namespace, "second"), until=exactly(UNSCHEDULABLE))
    client.delete(Pod, "first", namespace=namespace)
    eventually(lambda: node_of(client, namespace, "second"), until=exactly(node))


@pytest.mark.cite(
    "[sig-scheduling] SchedulerPredicates [Serial] validates that NodeSelector is respected if matching [Conformance]"
)
@pytest.mark.cite(
    "[sig-scheduling] SchedulerPredicates [Serial] validates that NodeSelector is respected if not matching [Conformance]"
)
@pytest.mark.cluster_scoped
@pytest.mark.needs("patch nodes")
def test_node_selector(client: Client, namespace: str, nodes: tuple[str, ...], eventually: Eventually) -> None:
    """Scheduler should leave a pod pending until a node has the label that it selects."""
    label = f"e2e.test/{namespace[-8:]}"
    client.create(pod("picky", nodeSelector={label: "yes"}), namespace=namespace)
    eventually(lambda: scheduled(client, namespace, "picky"), until=exactly(UNSCHEDULABLE))
    try:
        client.patch(Node, nodes[-1], {"metadata": {"labels": {label: "yes"}}})
        eventually(lambda: node_of(client, namespace, "picky"), until=exactly(nodes[-1]))
    finally:
        client.patch(Node, nodes[-1], {"metadata": {"labels": {label: None}}})


@pytest.mark.cite("docs/concepts/scheduling-eviction/assign-pod-node#node-affinity")
@pytest.mark.requires("two-nodes")
def test_required_node_affinity(client: Client, namespace: str, nodes: tuple[str, ...], eventually: Eventually) -> None:
    """Scheduler should bind a pod only to a node that its required affinity names."""
    ours = {"key": HOSTNAME, "operator": "In", "values": list(nodes)}
    for name, operator, values in (("on", "In", [nodes[1]]), ("off", "NotIn", [nodes[0], *nodes[2:]])):
        term = {"matchExpressions": [ours, {"key": HOSTNAME, "operator": operator, "values": values}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
        client.create(pod(name, affinity=affinity), namespace=namespace)

    eventually(lambda: [node_of(client, namespace, name) for name in ("on", "off")], until=exactly([nodes[1]] * 2))


@pytest.mark.cite("docs/concepts/scheduling-eviction/assign-pod-node#inter-pod-affinity-and-anti-affinity")
@pytest.mark.requires("two-nodes")
def test_pod_affinity_and_anti_affinity(client: Client, namespace: str, eventually: Eventually) -> None:
    """Scheduler should put a pod beside the one it wants and away from the one it avoids."""
    term = {"labelSelector": {"matchLabels": {"app": "anchor"}}, "topologyKey": HOSTNAME}
    client.create(pod("anchor", labels={"app": "anchor"}), namespace=namespace)
    anchor = eventually(lambda: node_of(client, namespace, "anchor"))
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    away = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    client.create(pod("near", affinity=near), namespace=namespace)
    client.create(pod("away", affinity=away), namespace=namespace)

    eventually(lambda: node_of(client, namespace, "near"), until=exactly(anchor))
    assert eventually(lambda: node_of(client, namespace, "away")) != anchor


@pytest.mark.cite("docs/concepts/scheduling-eviction/topology-spread-constraints")
def test_spread_constraint(client: Client, namespace: str, nodes: tuple[str, ...], eventually: Eventually) -> None:
    """Scheduler should spread pods evenly over nodes when a constraint allows a skew of one."""
    spread = TopologySpreadConstraint(
        maxSkew=1,
        topologyKey=HOSTNAME,
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=LabelSelector(matchLabels={"app": "spread"}),
    )
    names = [f"p{number}" for number in range(2 * len(nodes))]
    own = {"key": HOSTNAME, "operator": "In", "values": list(nodes)}
    terms = [{"matchExpressions": [own]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    for name in names:
        each = pod(name, labels={"app": "spread"}, topologySpreadConstraints=[spread], affinity=affinity)
        client.create(each, namespace=namespace)

    eventually(
        lambda: Counter(node_of(client, namespace, name) for name in names),
        until=exactly(Counter(dict.fromkeys(nodes, 2))),
    )


@pytest.mark.cite("docs/concepts/scheduling-eviction/pod-scheduling-readiness")
def test_gated_pod_waits(client: Client, namespace: str, eventually: Eventually) -> None:
    """Scheduler should leave a pod alone until its last scheduling gate is taken away."""
    client.create(pod("gated", schedulingGates=[GATE]), namespace=namespace)
    client.create(pod("free"), namespace=namespace)
    eventually(lambda: node_of(client, namespace, "free"), what="a later pod is scheduled")
    assert scheduled(client, namespace, "gated") == ("False", "SchedulingGated")
    let_go(client, client.get(Pod, "gated", namespace=namespace))

    eventually(lambda: node_of(client, namespace, "gated"))


@pytest.mark.cite("docs/concepts/scheduling-eviction/assign-pod-node#nodename")
def test_unknown_scheduler_is_not_answered_by_the_default_one(
    client: Client, namespace: str, eventually: Eventually
) -> None:
    """Scheduler should not bind a pod that names another scheduler."""
    client.create(pod("theirs", schedulerName="e2e-nobody"), namespace=namespace)
    client.create(pod("ours"), namespace=namespace)

    eventually(lambda: node_of(client, namespace, "ours"), what="a later pod is scheduled")
    assert node_of(client, namespace, "theirs") is None
