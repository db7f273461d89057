from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod, PodTemplate

from e2e.suite.controllers import GATE, conditions, exactly, meta, name_of
from e2e.suite.refusals import Refusal, refusal
from e2e.suite.workloads import pod, pod_template

pytestmark = pytest.mark.sig("node")

Eventually = Callable[..., Any]


@pytest.mark.cite("[sig-node] Pods should be submitted and removed [NodeConformance] [Conformance]")
@pytest.mark.depends("kube-scheduler")
@pytest.mark.needs("pods")
def test_pod_runs_and_is_removed(client: Client, namespace: str, eventually: Eventually) -> None:
    """Pod should be scheduled, become ready and be removed when it is deleted."""
    client.create(pod("a"), namespace=namespace)
    eventually(
        lambda: {kind: status for kind, (status, _) in conditions(client.get(Pod, "a", namespace=namespace)).items()},
        until=lambda seen: seen["PodScheduled"] == seen["Ready"] == seen["ContainersReady"] == "True",
    )
    client.delete(Pod, "a", namespace=namespace)

    eventually(lambda: list(client.list(Pod, namespace=namespace)), until=exactly([]))


@pytest.mark.cite("[sig-node] Pods should patch a pod status [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("pods", "patch pods/status")
def test_status_is_patched_apart_from_the_spec(client: Client, namespace: str) -> None:
    """Pod should take a patch of its status that leaves its spec alone."""
    client.create(pod("a", schedulingGates=[GATE]), namespace=namespace)
    patch = {"status": {"message": "seen", "reason": "E2E"}, "spec": {"activeDeadlineSeconds": 7}}
    client.patch(Pod.Status, "a", patch, namespace=namespace)

    found = client.get(Pod, "a", namespace=namespace)
    assert found.status
    assert found.spec
    assert (found.status.message, found.status.reason, found.spec.activeDeadlineSeconds) == ("seen", "E2E", None)


@pytest.mark.cite("docs/concepts/workloads/pods/#pod-update-and-replacement")
@pytest.mark.parametrize(
    "change",
    [
        {"nodeName": "elsewhere"},
        {"terminationGracePeriodSeconds": 9},
        {"hostname": "other"},
        {"restartPolicy": "Never"},
    ],
    ids=["nodeName", "grace period", "hostname", "restart policy"],
)
@pytest.mark.needs("pods")
def test_spec_of_a_pod_is_fixed(client: Client, namespace: str, change: dict[str, Any]) -> None:
    """Pod should refuse a change of its spec."""
    client.create(pod("a", schedulingGates=[GATE]), namespace=namespace)

    refused = refusal(lambda: client.patch(Pod, "a", {"spec": change}, namespace=namespace))
    assert refused == Refusal(422, "Invalid", "")


@pytest.mark.cite("[sig-node] Pods should delete a collection of pods [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("pods", "deletecollection pods")
def test_collection_is_deleted_by_label(
    client: Client, http: httpx2.Client, namespace: str, eventually: Eventually
) -> None:
    """Pods should be deleted as a collection that a label selects."""
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        client.create(pod(name, labels={"app": app}, schedulingGates=[GATE]), namespace=namespace)
    http.delete(f"/api/v1/namespaces/{namespace}/pods", params={"labelSelector": "app=x"}).raise_for_status()

    eventually(lambda: [name_of(p) for p in client.list(Pod, namespace=namespace)], until=exactly(["c"]))


@pytest.mark.cite("[sig-node] PodTemplates should run the lifecycle of PodTemplates [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("podtemplates")
def test_pod_template_lifecycle(client: Client, namespace: str) -> None:
    """PodTemplates should be created, found by label, patched and deleted."""
    made = PodTemplate(metadata=ObjectMeta(name="a", labels={"app": "x"}), template=pod_template({"app": "x"}))
    client.create(made, namespace=namespace)
    client.patch(PodTemplate, "a", {"metadata": {"labels": {"patched": "yes"}}}, namespace=namespace)
    found = list(client.list(PodTemplate, namespace=namespace, labels={"app": "x", "patched": "yes"}))
    client.delete(PodTemplate, "a", namespace=namespace)

    assert [meta(each).labels for each in found] == [{"app": "x", "patched": "yes"}]
    assert list(client.list(PodTemplate, namespace=namespace)) == []
