from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.core_v1 import Node, Pod

from e2e.suite.controllers import exactly, name_of, node_of
from e2e.suite.hollow import OWN, OWN_NODE, MakeNode, on_own_node
from e2e.suite.workloads import pod

pytestmark = [
    pytest.mark.sig("scheduling"),
    pytest.mark.needs("pods", OWN_NODE),
    pytest.mark.depends("kube-scheduler"),
    pytest.mark.cluster_scoped,
    pytest.mark.requires("hollow-nodes"),
]

Eventually = Callable[..., Any]


@pytest.mark.cite("SchedulerPredicates [Serial] validates that taints-tolerations is respected if matching")
@pytest.mark.cite("SchedulerPredicates [Serial] validates that taints-tolerations is respected if not matching")
def test_taint_keeps_pods_away(client: Client, namespace: str, own_node: MakeNode, eventually: Eventually) -> None:
    """Scheduler should bind to a tainted node only pods that tolerate the taint."""
    node = own_node()
    client.create(pod("stranger", nodeSelector={OWN: namespace}), namespace=namespace)
    client.create(pod("guest", **on_own_node(namespace)), namespace=namespace)

    eventually(lambda: node_of(client, namespace, "guest"), until=exactly(node))
    assert node_of(client, namespace, "stranger") is None


@pytest.mark.cite("NoExecuteTaintManager Single Pod [Serial] evicts pods from tainted nodes")
@pytest.mark.cite(
    "NoExecuteTaintManager Multiple Pods [Serial] only evicts pods without tolerations from tainted nodes"
)
@pytest.mark.depends("taint-eviction-controller")
def test_no_execute_taint_evicts(client: Client, namespace: str, own_node: MakeNode, eventually: Eventually) -> None:
    """Taint NoExecute should evict the pods of a node that do not tolerate it, and only those."""
    node = own_node()
    stays = on_own_node(namespace, tolerations=[{"key": "e2e.test/evict", "operator": "Exists", "effect": "NoExecute"}])
    client.create(pod("stays", **stays), namespace=namespace)
    client.create(pod("goes", **on_own_node(namespace)), namespace=namespace)
    eventually(lambda: [node_of(client, namespace, name) for name in ("stays", "goes")], until=exactly([node, node]))
    taints = [
        {"key": OWN, "value": namespace, "effect": "NoSchedule"},
        {"key": "e2e.test/evict", "effect": "NoExecute"},
    ]
    client.patch(Node, node, {"spec": {"taints": taints}})

    eventually(lambda: sorted(name_of(p) for p in client.list(Pod, namespace=namespace)), until=exactly(["stays"]))
