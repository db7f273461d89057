from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.core_v1 import EndpointAddress, EndpointPort, EndpointSubset
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Endpoints, Pod
from lightkube.resources.discovery_v1 import EndpointSlice

from e2e.suite.controllers import exactly
from e2e.suite.network.services import service
from e2e.suite.workloads import pod

pytestmark = [pytest.mark.sig("network"), pytest.mark.needs("services", "list endpointslices.discovery.k8s.io")]

Eventually = Callable[..., Any]
MIRRORED = {
    "kubernetes.io/service-name": "web",
    "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
}


def endpoints(client: Client, namespace: str) -> dict[str, bool | None]:
    """Return whether each pod behind the Service ``web`` is ready, as its slices say."""
    found = client.list(EndpointSlice, namespace=namespace, labels={"kubernetes.io/service-name": "web"})
    return {
        point.targetRef.name or "": point.conditions.ready if point.conditions else None
        for each in found
        for point in each.endpoints or []
        if point.targetRef
    }


@pytest.mark.cite(
    "[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service [Conformance]"
)
@pytest.mark.depends("endpointslice-controller", "kube-scheduler")
@pytest.mark.needs("pods")
def test_slices_follow_the_pods(client: Client, namespace: str, eventually: Eventually) -> None:
    """EndpointSlice should list exactly the pods that its Service selects."""
    client.create(service("web"), namespace=namespace)
    for name in ("a", "b"):
        client.create(pod(name, labels={"app": "web"}), namespace=namespace)
    client.create(pod("c", labels={"app": "other"}), namespace=namespace)
    eventually(lambda: endpoints(client, namespace), until=exactly({"a": True, "b": True}))
    client.patch(Pod, "c", {"metadata": {"labels": {"app": "web"}}}, namespace=namespace)
    client.delete(Pod, "a", namespace=namespace)

    eventually(lambda: endpoints(client, namespace), until=exactly({"b": True, "c": True}))


@pytest.mark.cite("docs/concepts/services-networking/endpoint-slices#conditions")
@pytest.mark.depends("endpointslice-controller", "kube-scheduler")
@pytest.mark.requires("hollow-nodes")
@pytest.mark.needs("pods", "patch pods/status")
def test_slices_follow_readiness(client: Client, namespace: str, eventually: Eventually) -> None:
    """EndpointSlice should say that a pod is not ready once it is not."""
    client.create(service("web"), namespace=namespace)
    client.create(pod("a", labels={"app": "web"}), namespace=namespace)
    eventually(lambda: endpoints(client, namespace), until=exactly({"a": True}))
    unready = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "TakenAway"}]}}
    client.patch(Pod.Status, "a", unready, namespace=namespace)

    eventually(lambda: endpoints(client, namespace), until=exactly({"a": False}))


@pytest.mark.cite(
    "[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.depends("endpointslice-mirroring-controller")
@pytest.mark.needs("create,delete,patch endpoints")
def test_custom_endpoints_are_mirrored(client: Client, namespace: str, eventually: Eventually) -> None:
    """EndpointSlice should mirror custom Endpoints through create, update and delete."""

    def mirrored() -> list[str]:
        found = client.list(EndpointSlice, namespace=namespace, labels={**MIRRORED})
        return sorted(address for each in found for point in each.endpoints or [] for address in point.addresses)

    client.create(service("web", selector=None), namespace=namespace)
    subset = EndpointSubset(addresses=[EndpointAddress(ip="10.1.2.3")], ports=[EndpointPort(port=80, protocol="TCP")])
    client.create(Endpoints(metadata=ObjectMeta(name="web"), subsets=[subset]), namespace=namespace)
    eventually(mirrored, until=exactly(["10.1.2.3"]))
    moved = {"subsets": [{"addresses": [{"ip": "10.2.3.4"}], "ports": [{"port": 80, "protocol": "TCP"}]}]}
    client.patch(Endpoints, "web", moved, namespace=namespace)
    eventually(mirrored, until=exactly(["10.2.3.4"]))
    client.delete(Endpoints, "web", namespace=namespace)

    eventually(mirrored, until=exactly([]))


@pytest.mark.cite("docs/concepts/services-networking/service#headless-services")
@pytest.mark.depends("endpointslice-controller")
@pytest.mark.needs("pods", "patch pods/status")
def test_headless_service_publishes_unready_pods_if_asked(
    client: Client, namespace: str, eventually: Eventually
) -> None:
    """Service that is headless should have no cluster IP and publish pods that are not ready when it says so."""
    made = client.create(service("web", clusterIP="None", publishNotReadyAddresses=True), namespace=namespace)
    assert made.spec
    assert made.spec.clusterIPs == ["None"]
    held = pod("a", labels={"app": "web"}, nodeName="nowhere")
    client.create(held, namespace=namespace)
    placed = {"status": {"podIP": "10.9.8.7", "podIPs": [{"ip": "10.9.8.7"}], "phase": "Pending"}}
    client.patch(Pod.Status, "a", placed, namespace=namespace)

    eventually(lambda: endpoints(client, namespace), until=exactly({"a": True}))
