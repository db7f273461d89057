"""A node of a test's own: hollow, so that a test may fill, taint, cordon or break it beside others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.core_v1 import NodeSpec, NodeStatus, Taint
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Node

OWN = "e2e.test/own"  # label and taint of such a node; only pods that tolerate it land there

OWN_NODE = "create,delete,get,patch nodes"  # for the marker ``needs`` of a test with such a node

MakeNode = Callable[..., str]


@pytest.fixture
def own_node(
    client: Client, namespace: str, create_global: Callable[..., Any], eventually: Callable[..., Any]
) -> MakeNode:
    """Return a function that adds a ready hollow node, kept free of others' pods by a taint; it goes with the test.

    The test carries ``cluster_scoped``, ``requires("hollow-nodes")`` and ``needs(OWN_NODE)``. Pods need ``on_own_node(namespace)``.
    """

    def make(suffix: str = "n", *, cpu: str = "4", labels: dict[str, str] | None = None) -> str:
        name = f"{namespace}-{suffix}"
        capacity = {"cpu": cpu, "memory": "4Gi", "pods": "20"}
        create_global(
            Node(
                metadata=ObjectMeta(
                    name=name,
                    labels={OWN: namespace, "kubernetes.io/hostname": name, **(labels or {})},
                    annotations={"kwok.x-k8s.io/node": "fake"},
                ),
                spec=NodeSpec(taints=[Taint(key=OWN, value=namespace, effect="NoSchedule")]),
                status=NodeStatus(capacity=capacity, allocatable=capacity),
            )
        )
        eventually(lambda: is_ready(client.get(Node, name)), what=f"node {name} is ready")
        return name

    return make


def is_ready(node: Node) -> bool:
    """Say whether a node's condition Ready is true and nothing keeps pods away but our own taint."""
    assert node.status
    assert node.spec
    ready = {c.type: c.status for c in node.status.conditions or []}.get("Ready") == "True"
    return ready and [taint.key for taint in node.spec.taints or []] == [OWN]


def on_own_node(namespace: str, **fields: Any) -> dict[str, Any]:
    """Return pod fields that bind a pod to the test's own nodes; ``fields`` are added."""
    tolerations = [{"key": OWN, "operator": "Equal", "value": namespace}, *fields.pop("tolerations", [])]
    return {"nodeSelector": {OWN: namespace}, "tolerations": tolerations, **fields}
