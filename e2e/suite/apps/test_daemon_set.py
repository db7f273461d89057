from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.apps_v1 import DaemonSet
from lightkube.resources.core_v1 import Node, Pod

from e2e.suite.controllers import daemon_set, end_pod, exactly, meta, name_of, pods_of

pytestmark = [
    pytest.mark.sig("apps"),
    pytest.mark.needs("daemonsets.apps", "pods"),
    pytest.mark.depends("daemonset-controller", "kube-scheduler"),
]

Eventually = Callable[..., Any]


def where(client: Client, namespace: str) -> list[str]:
    """Return the nodes of the DaemonSet's pods, sorted, once for each pod."""
    return sorted(pod.spec.nodeName or "" for pod in pods_of(client, namespace, "agent") if pod.spec)


@pytest.mark.cite("[sig-apps] Daemon set [Serial] should run and stop simple daemon [Conformance]")
@pytest.mark.conformance
def test_every_node_has_one(client: Client, namespace: str, nodes: tuple[str, ...], eventually: Eventually) -> None:
    """DaemonSet should run one pod on every node, and a new one where its pod was deleted."""
    client.create(daemon_set("agent"), namespace=namespace)
    eventually(lambda: where(client, namespace), until=exactly(sorted(nodes)))
    gone = pods_of(client, namespace, "agent")[0]
    client.delete(Pod, name_of(gone), namespace=namespace)

    eventually(
        lambda: (
            name_of(gone) not in [name_of(p) for p in pods_of(client, namespace, "agent")]
            and where(client, namespace) == sorted(nodes)
        )
    )
    eventually(
        lambda: client.get(DaemonSet, "agent", namespace=namespace).status,
        until=lambda status: (status.desiredNumberScheduled, status.numberReady) == (len(nodes), len(nodes)),
    )


@pytest.mark.cite("[sig-apps] Daemon set [Serial] should run and stop complex daemon [Conformance]")
@pytest.mark.conformance
@pytest.mark.cluster_scoped
@pytest.mark.needs("patch nodes")
def test_selected_nodes_only(client: Client, namespace: str, nodes: tuple[str, ...], eventually: Eventually) -> None:
    """DaemonSet should follow its node selector when the label of a node comes and goes."""
    label = f"e2e.test/{namespace[-8:]}"
    client.create(daemon_set("agent", pod={"nodeSelector": {label: "yes"}}), namespace=namespace)
    eventually(
        lambda: client.get(DaemonSet, "agent", namespace=namespace),
        until=lambda found: found.status.observedGeneration == 1 and found.status.desiredNumberScheduled == 0,
    )
    try:
        client.patch(Node, nodes[0], {"metadata": {"labels": {label: "yes"}}})
        eventually(lambda: where(client, namespace), until=exactly([nodes[0]]))
    finally:
        client.patch(Node, nodes[0], {"metadata": {"labels": {label: None}}})

    eventually(lambda: where(client, namespace), until=exactly([]))


@pytest.mark.cite(
    "[sig-apps] Daemon set [Serial] should update pod when spec was updated and update strategy is RollingUpdate [Conformance]"
)
@pytest.mark.conformance
def test_rolling_update(client: Client, namespace: str, nodes: tuple[str, ...], eventually: Eventually) -> None:
    """DaemonSet should replace the pod of every node when its template changes."""
    client.create(daemon_set("agent"), namespace=namespace)
    eventually(lambda: where(client, namespace), until=exactly(sorted(nodes)))
    change = {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}
    client.patch(DaemonSet, "agent", change, namespace=namespace)

    eventually(
        lambda: [(meta(p).annotations or {}).get("v") for p in pods_of(client, namespace, "agent")],
        until=exactly(["2"] * len(nodes)),
    )


@pytest.mark.cite("[sig-apps] Daemon set [Serial] should retry creating failed daemon pods [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("patch pods/status")
def test_failed_pod_is_replaced(client: Client, namespace: str, nodes: tuple[str, ...], eventually: Eventually) -> None:
    """DaemonSet should replace a pod that failed."""
    client.create(daemon_set("agent"), namespace=namespace)
    eventually(lambda: where(client, namespace), until=exactly(sorted(nodes)))
    failed = pods_of(client, namespace, "agent")[0]
    end_pod(client, failed, phase="Failed")

    eventually(
        lambda: {name_of(p) for p in pods_of(client, namespace, "agent")},
        until=lambda names: len(names) == len(nodes) and name_of(failed) not in names,
    )
