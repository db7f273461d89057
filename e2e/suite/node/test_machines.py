"""What happens to pods when something happens to the machine of a node. Each case puts the node back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.core_v1 import Node, Pod

from e2e.plugin.on_node import Machines
from e2e.suite.controllers import conditions, deployment, meta, name_of, node_of, pods_of
from e2e.suite.workloads import pod

pytestmark = [
    pytest.mark.sig("node"),
    pytest.mark.requires("pods-run", "node-ssh", "two-nodes"),
    pytest.mark.disruptive,
    pytest.mark.serial,
    pytest.mark.needs("get nodes", "pods"),
]

Eventually = Callable[..., Any]
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
NOTICED_S = 90.0  # a node is given up 40 to 50 s after it was last heard of
BACK_S = 180.0
SHORT = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
    for key in ("not-ready", "unreachable")
]


@pytest.fixture
def victim(client: Client, nodes: tuple[str, ...]) -> str:
    """Return a node that does not run the API server that we talk to."""
    workers = [name for name in nodes if CONTROL_PLANE not in (meta(client.get(Node, name)).labels or {})]
    if not workers:
        pytest.skip("every node is a control plane")
    return workers[-1]


def is_ready(client: Client, node: str) -> str:
    """Return the status of a node's condition Ready."""
    return conditions(client.get(Node, node))["Ready"][0]


def restarts(client: Client, namespace: str, name: str) -> tuple[str, int, str | None]:
    """Return a pod's phase, how often its container was started again, and the container's id."""
    status = client.get(Pod, name, namespace=namespace).status
    assert status
    assert status.containerStatuses
    first = status.containerStatuses[0]
    return str(status.phase), first.restartCount, first.containerID if first.ready else None


@pytest.mark.cite("[sig-storage] Disruptive: kubelet restart; docs/concepts/architecture/nodes")
def test_kubelet_restart(
    client: Client, namespace: str, victim: str, machines: Machines, eventually: Eventually
) -> None:
    """Node should keep its pods running while its kubelet is restarted."""
    client.create(pod("kept", nodeName=victim), namespace=namespace)
    eventually(lambda: restarts(client, namespace, "kept")[2])
    before = restarts(client, namespace, "kept")
    started = machines[victim].run("systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "kubelet")

    machines[victim].restart_kubelet()

    # the kubelet that was started now runs a new pod, so it has looked at the old one, too
    client.create(pod("new", nodeName=victim), namespace=namespace)
    eventually(lambda: restarts(client, namespace, "new")[2], timeout_s=BACK_S)
    eventually(lambda: restarts(client, namespace, "kept"), until=lambda now: now == before)
    assert started != machines[victim].run("systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "kubelet")
    assert is_ready(client, victim) == "True"


@pytest.mark.slow
@pytest.mark.cite(
    "[sig-cloud-provider-gcp] Reboot [Disruptive] each node by ordering clean reboot and ensure they function upon restart"
)
def test_reboot(client: Client, namespace: str, victim: str, machines: Machines, eventually: Eventually) -> None:
    """Node should come back with its pods after a reboot, and run new ones."""
    client.create(pod("kept", nodeName=victim), namespace=namespace)
    eventually(lambda: restarts(client, namespace, "kept")[2])
    before = restarts(client, namespace, "kept")[2]

    machines[victim].reboot()

    def again() -> bool:
        phase, count, container = restarts(client, namespace, "kept")
        return phase == "Running" and count >= 1 and container not in (None, before)

    eventually(again, timeout_s=BACK_S)
    eventually(lambda: is_ready(client, victim), until=lambda status: status == "True", timeout_s=BACK_S)
    client.create(pod("new", nodeName=victim), namespace=namespace)
    eventually(lambda: restarts(client, namespace, "new")[2], timeout_s=BACK_S)


@pytest.mark.slow
@pytest.mark.cite("[sig-apps] Network Partition [Disruptive] should come back up if node goes down")
@pytest.mark.needs("deployments.apps")
@pytest.mark.depends("deployment-controller", "kube-scheduler")
def test_network_partition(
    client: Client, namespace: str, victim: str, machines: Machines, eventually: Eventually
) -> None:
    """Node that is cut off should be not ready, its pods replaced on another one, and come back when it is reached again."""
    moved = deployment("moved", replicas=1, pod={"tolerations": SHORT, "affinity": _prefer(victim)})
    client.create(moved, namespace=namespace)
    eventually(
        lambda: [p.spec and p.spec.nodeName for p in pods_of(client, namespace, "moved")],
        until=lambda on: on == [victim],
    )
    first = name_of(pods_of(client, namespace, "moved")[0])

    with machines[victim].cut_off():
        eventually(lambda: is_ready(client, victim), until=lambda status: status == "Unknown", timeout_s=NOTICED_S)
        elsewhere = eventually(
            lambda: [name_of(p) for p in pods_of(client, namespace, "moved") if name_of(p) != first],
            timeout_s=NOTICED_S,
        )
        eventually(lambda: node_of(client, namespace, elsewhere[0]), until=lambda on: on not in (None, victim))

    eventually(lambda: is_ready(client, victim), until=lambda status: status == "True", timeout_s=BACK_S)
    eventually(
        lambda: [name_of(p) for p in client.list(Pod, namespace=namespace)],
        until=lambda names: first not in names,
        timeout_s=BACK_S,
        what="the pod of the lost node is removed once its kubelet answers",
    )


@pytest.mark.slow
@pytest.mark.cite(
    "[sig-node] LocalStorageEviction [Slow] [Serial] [Disruptive]; docs/concepts/scheduling-eviction/node-pressure-eviction"
)
def test_disk_pressure(client: Client, namespace: str, victim: str, machines: Machines, eventually: Eventually) -> None:
    """Node whose disk is full should report disk pressure, and none when there is room again."""

    def pressure() -> str:
        return conditions(client.get(Node, victim))["DiskPressure"][0]

    assert pressure() == "False"
    with machines[victim].disk_filled(free_bytes=64 * 1024**2):
        eventually(pressure, until=lambda status: status == "True", timeout_s=NOTICED_S)

    # by default the kubelet believes it after five quiet minutes only
    eventually(pressure, until=lambda status: status == "False", timeout_s=420.0)
    client.create(pod("new", nodeName=victim), namespace=namespace)
    eventually(lambda: restarts(client, namespace, "new")[2], timeout_s=BACK_S)


def _prefer(node: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}}
