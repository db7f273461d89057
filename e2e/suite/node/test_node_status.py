from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import Node, Pod

from e2e.suite.controllers import exactly, name_of
from e2e.suite.hollow import OWN, OWN_NODE, MakeNode, on_own_node
from e2e.suite.workloads import pod

pytestmark = [pytest.mark.sig("node"), pytest.mark.needs("get nodes")]

Eventually = Callable[..., Any]
BY_HAND = {"kwok.x-k8s.io/status": "custom"}  # from here on the hollow kubelet leaves the status alone
NODE_LEASES = "kube-node-lease"


def taints_of(client: Client, name: str) -> dict[str, str]:
    """Return key and effect of a node's taints but our own."""
    found = client.get(Node, name)
    assert found.spec
    return {taint.key: taint.effect for taint in found.spec.taints or [] if taint.key != OWN}


@pytest.mark.cite("NodeLease NodeLease should have OwnerReferences set")
@pytest.mark.needs("get leases.coordination.k8s.io")
def test_node_lease_is_owned(client: Client, nodes: tuple[str, ...]) -> None:
    """Node should hold a lease in its own name that goes with it."""
    lease = client.get(Lease, nodes[0], namespace=NODE_LEASES)
    assert lease.metadata
    node = client.get(Node, nodes[0])
    assert node.metadata

    owners = [(each.kind, each.name, each.uid) for each in lease.metadata.ownerReferences or []]
    assert owners == [("Node", nodes[0], node.metadata.uid)]


@pytest.mark.cite("NodeLease NodeLease the kubelet should create and update a lease in the kube-node-lease namespace")
@pytest.mark.slow
@pytest.mark.needs("get leases.coordination.k8s.io")
def test_node_lease_is_renewed(client: Client, nodes: tuple[str, ...], eventually: Eventually) -> None:
    """Node should renew its lease well before the lease runs out."""

    def renewed() -> Any:
        spec = client.get(Lease, nodes[0], namespace=NODE_LEASES).spec
        assert spec
        return spec.renewTime

    first = renewed()
    spec = client.get(Lease, nodes[0], namespace=NODE_LEASES).spec
    assert spec
    lasts = spec.leaseDurationSeconds or 40

    second = eventually(renewed, until=lambda now: now != first, timeout_s=lasts)
    assert (second - first).total_seconds() < lasts


@pytest.mark.cite("docs/reference/node/node-status")
def test_node_reports_itself(client: Client, nodes: tuple[str, ...], cluster: Any) -> None:
    """Node should report that it is ready, what it can hold, where it is and which kubelet it runs."""
    for name in nodes:
        status = client.get(Node, name).status
        assert status
        assert {c.type: c.status for c in status.conditions or []}["Ready"] == "True"
        assert set(status.allocatable or {}) >= {"cpu", "memory", "pods", "ephemeral-storage"}
        assert {address.type for address in status.addresses or []} >= {"InternalIP", "Hostname"}
        assert status.nodeInfo
        assert status.nodeInfo.kubeletVersion.startswith("v1.")


@pytest.mark.cite("docs/reference/labels-annotations-taints#node-kubernetes-io-unschedulable")
@pytest.mark.cluster_scoped
@pytest.mark.requires("hollow-nodes")
@pytest.mark.depends("node-lifecycle-controller")
@pytest.mark.needs(OWN_NODE)
def test_cordoned_node_is_tainted(client: Client, own_node: MakeNode, eventually: Eventually) -> None:
    """Node should carry the taint unschedulable while it is cordoned."""
    node = own_node()
    client.patch(Node, node, {"spec": {"unschedulable": True}})
    eventually(lambda: taints_of(client, node), until=exactly({"node.kubernetes.io/unschedulable": "NoSchedule"}))
    client.patch(Node, node, {"spec": {"unschedulable": False}})

    eventually(lambda: taints_of(client, node), until=exactly({}))


@pytest.mark.cite("docs/concepts/architecture/nodes#condition")
@pytest.mark.cluster_scoped
@pytest.mark.requires("hollow-nodes")
@pytest.mark.depends("node-lifecycle-controller", "taint-eviction-controller", "kube-scheduler")
@pytest.mark.needs(OWN_NODE, "patch nodes/status", "pods")
def test_node_that_is_not_ready_is_tainted_and_emptied(
    client: Client, namespace: str, own_node: MakeNode, eventually: Eventually
) -> None:
    """Node that is not ready should be tainted, and its pods evicted after the time that they tolerate."""
    node = own_node()
    at_once = {
        "key": "node.kubernetes.io/not-ready",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 0,
    }
    client.create(pod("a", **on_own_node(namespace, tolerations=[at_once])), namespace=namespace)
    eventually(lambda: client.get(Pod, "a", namespace=namespace).spec.nodeName, until=exactly(node))  # type: ignore[union-attr]  # a missing spec is not yet
    client.patch(Node, node, {"metadata": {"annotations": BY_HAND}})
    broken = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "KubeletNotReady"}]}}
    client.patch(Node.Status, node, broken)

    eventually(lambda: taints_of(client, node).get("node.kubernetes.io/not-ready"))
    eventually(lambda: [name_of(p) for p in client.list(Pod, namespace=namespace)], until=exactly([]))
