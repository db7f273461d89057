from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Node, Pod

from e2e.plugin.kubectl import Kubectl
from e2e.suite.controllers import GATE, deployment, exactly, name_of
from e2e.suite.hollow import OWN_NODE, MakeNode, on_own_node
from e2e.suite.workloads import pod

pytestmark = pytest.mark.sig("cli")

Eventually = Callable[..., Any]


def config_map(**content: str) -> str:
    """Return a ConfigMap ``settings`` as a manifest."""
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": content})


@pytest.mark.cite("Kubectl client Kubectl apply should apply a new configuration to an existing RC")
@pytest.mark.needs("configmaps")
def test_apply(client: Client, namespace: str, kubectl: Kubectl) -> None:
    """Kubectl apply should create an object, leave it alone, and change and drop what the manifest changes and drops."""
    said = [
        kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest).stdout.strip()
        for manifest in (config_map(a="1", b="1"), config_map(a="1", b="1"), config_map(a="2"))
    ]

    assert said == [f"configmap/settings {what}" for what in ("created", "unchanged", "configured")]
    assert client.get(ConfigMap, "settings", namespace=namespace).data == {"a": "2"}


@pytest.mark.cite(
    "[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.needs("configmaps")
def test_diff(client: Client, namespace: str, kubectl: Kubectl) -> None:
    """Kubectl diff should show what an apply would change, end with code 1, and change nothing."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=config_map(a="1"))
    same = kubectl("diff", "-n", namespace, "-f", "-", stdin=config_map(a="1"))
    other = kubectl("diff", "-n", namespace, "-f", "-", stdin=config_map(a="2"), check=False)

    assert (same.stdout, other.code) == ("", 1)
    lines = other.stdout.splitlines()
    assert [line for line in lines if line.startswith(("-  a:", "+  a:"))] == ['-  a: "1"', '+  a: "2"']
    assert client.get(ConfigMap, "settings", namespace=namespace).data == {"a": "1"}


@pytest.mark.cite("docs/reference/kubectl/generated/kubectl_wait")
@pytest.mark.needs("pods", "watch pods")
def test_wait_for_a_condition(client: Client, namespace: str, kubectl: Kubectl) -> None:
    """Kubectl wait should end when a condition holds, and with an error when it does not hold in time."""
    client.create(pod("held", schedulingGates=[GATE]), namespace=namespace)
    late = kubectl("wait", "-n", namespace, "pod/held", "--for=condition=Ready", "--timeout=1s", check=False)
    holds = kubectl("wait", "-n", namespace, "pod/held", "--for=condition=PodScheduled=False", "--timeout=15s")

    assert (late.code, late.stderr.strip()) == (1, "error: timed out waiting for the condition on pods/held")
    assert holds.stdout == "pod/held condition met\n"


@pytest.mark.cite(
    "[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods [Conformance]"
)
@pytest.mark.needs("configmaps")
def test_server_side_dry_run(client: Client, namespace: str, kubectl: Kubectl) -> None:
    """Kubectl apply with a server-side dry run should say what it would do and do nothing."""
    said = kubectl("apply", "-n", namespace, "--dry-run=server", "-f", "-", stdin=config_map(a="1")).stdout

    assert said == "configmap/settings created (server dry run)\n"
    assert list(client.list(ConfigMap, namespace=namespace, fields={"metadata.name": "settings"})) == []


@pytest.mark.cite("docs/reference/using-api/server-side-apply#conflicts")
@pytest.mark.needs("configmaps")
def test_server_side_apply_conflict(client: Client, namespace: str, kubectl: Kubectl) -> None:
    """Kubectl apply --server-side should name the other manager of a field, and take the field when it is forced."""
    apply = ("apply", "-n", namespace, "--server-side", "-f", "-")
    kubectl(*apply, "--field-manager=first", stdin=config_map(a="1"))
    refused = kubectl(*apply, "--field-manager=second", stdin=config_map(a="2"), check=False)
    assert client.get(ConfigMap, "settings", namespace=namespace).data == {"a": "1"}
    kubectl(*apply, "--field-manager=second", "--force-conflicts", stdin=config_map(a="2"))

    assert refused.code == 1
    assert 'conflict with "first": .data.a' in refused.stderr
    assert client.get(ConfigMap, "settings", namespace=namespace).data == {"a": "2"}


@pytest.mark.cite("docs/reference/kubectl/generated/kubectl_rollout")
@pytest.mark.depends("deployment-controller", "replicaset-controller", "kube-scheduler")
@pytest.mark.needs("deployments.apps", "watch deployments.apps", "list replicasets.apps")
def test_rollout_status_and_undo(client: Client, namespace: str, kubectl: Kubectl) -> None:
    """Kubectl rollout should wait for a Deployment and take it back to its last template."""
    client.create(deployment("web", replicas=2), namespace=namespace)
    status = ("rollout", "status", "-n", namespace, "deployment/web", "--timeout=15s")
    kubectl(*status)
    changed = {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}
    client.patch(Deployment, "web", changed, namespace=namespace)
    kubectl(*status)
    kubectl("rollout", "undo", "-n", namespace, "deployment/web")

    assert kubectl(*status).stdout.splitlines()[-1] == 'deployment "web" successfully rolled out'
    back = client.get(Deployment, "web", namespace=namespace)
    assert back.spec
    assert back.spec.template.metadata
    assert back.spec.template.metadata.annotations is None


@pytest.mark.cite("[sig-cli] Kubectl client Kubectl label should update the label on a resource [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("pods")
def test_label(client: Client, namespace: str, kubectl: Kubectl) -> None:
    """Kubectl label should add, refuse to overwrite, overwrite and remove a label."""
    client.create(pod("a", labels={"app": "x"}, schedulingGates=[GATE]), namespace=namespace)
    label = ("label", "-n", namespace, "pod", "a")
    refused = kubectl(*label, "app=y", check=False)
    kubectl(*label, "app=y", "--overwrite")
    kubectl(*label, "tier=web")
    kubectl(*label, "app-")

    assert (refused.code, refused.stderr.strip()) == (
        1,
        "error: 'app' already has a value (x), and --overwrite is false",
    )
    found = client.get(Pod, "a", namespace=namespace)
    assert found.metadata
    assert found.metadata.labels == {"tier": "web"}


@pytest.mark.cite("docs/tasks/administer-cluster/safely-drain-node")
@pytest.mark.cluster_scoped
@pytest.mark.requires("hollow-nodes")
@pytest.mark.depends("kube-scheduler")
@pytest.mark.needs(OWN_NODE, "pods", "create pods/eviction")
def test_drain(client: Client, namespace: str, own_node: MakeNode, kubectl: Kubectl, eventually: Eventually) -> None:
    """Kubectl drain should cordon a node and evict its pods, and refuse pods that nobody would replace unless forced."""
    node = own_node()
    client.create(pod("a", **on_own_node(namespace)), namespace=namespace)
    eventually(lambda: client.get(Pod, "a", namespace=namespace).spec.nodeName, until=exactly(node))  # type: ignore[union-attr]  # a missing spec is not yet
    refused = kubectl("drain", node, "--timeout=15s", check=False)
    kubectl("drain", node, "--force", "--timeout=15s")

    assert refused.code == 1
    assert "cannot delete Pods that declare no controller" in refused.stderr
    assert [name_of(p) for p in client.list(Pod, namespace=namespace)] == []
    drained = client.get(Node, node).spec
    assert drained
    assert drained.unschedulable is True


@pytest.mark.cite("[sig-cli] Kubectl client Kubectl version should check is all data is printed [Conformance]")
@pytest.mark.conformance
def test_version(kubectl: Kubectl, cluster: Any) -> None:
    """Kubectl version should print the version of the client and of the server."""
    said = json.loads(kubectl("version", "-o", "json").stdout)

    assert said["serverVersion"]["gitVersion"] == cluster.version
    assert set(said) >= {"clientVersion", "serverVersion", "kustomizeVersion"}


@pytest.mark.cite(
    "[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions [Conformance]"
)
@pytest.mark.conformance
def test_api_versions(kubectl: Kubectl) -> None:
    """Kubectl api-versions should list the served groups, and explain should describe their fields."""
    versions = kubectl("api-versions").stdout.split()
    explained = kubectl("explain", "deployment.spec.replicas").stdout

    assert set(versions) >= {"v1", "apps/v1", "batch/v1", "rbac.authorization.k8s.io/v1"}
    assert "FIELD: replicas <integer>" in explained
