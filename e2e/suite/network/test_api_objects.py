from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.models.networking_v1 import (
    HTTPIngressPath,
    HTTPIngressRuleValue,
    IngressBackend,
    IngressClassSpec,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
    ServiceBackendPort,
)
from lightkube.resources.networking_v1 import Ingress, IngressClass, NetworkPolicy

from e2e.suite.controllers import name_of
from e2e.suite.refusals import Refusal, refusal

pytestmark = pytest.mark.sig("network")


def ingress(name: str, *, path_type: str = "Prefix") -> Ingress:
    """Return an Ingress with one rule for ``/``."""
    backend = IngressBackend(service=IngressServiceBackend(name="web", port=ServiceBackendPort(number=80)))
    path = HTTPIngressPath(path="/", pathType=path_type, backend=backend)
    rule = IngressRule(host="a.example.com", http=HTTPIngressRuleValue(paths=[path]))
    return Ingress(metadata=ObjectMeta(name=name, labels={"app": name}), spec=IngressSpec(rules=[rule]))


@pytest.mark.cite("[sig-network] Ingress API should support creating Ingress API operations [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs(
    "ingresses.networking.k8s.io",
    "deletecollection ingresses.networking.k8s.io",
    "patch ingresses.networking.k8s.io/status",
)
def test_ingress_operations(client: Client, namespace: str) -> None:
    """Ingress should be created, listed, patched, given a status and deleted."""
    client.create(ingress("web"), namespace=namespace)
    client.create(ingress("other"), namespace=namespace)
    client.patch(Ingress, "web", {"spec": {"ingressClassName": "e2e"}}, namespace=namespace)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}
    client.patch(Ingress.Status, "web", status, namespace=namespace)
    listed = list(client.list(Ingress, namespace=namespace, labels={"app": "web"}))
    client.deletecollection(Ingress, namespace=namespace)

    assert [(name_of(i), i.spec.ingressClassName if i.spec else None) for i in listed] == [("web", "e2e")]
    assert listed[0].status
    assert listed[0].status.loadBalancer
    assert [point.ip for point in listed[0].status.loadBalancer.ingress or []] == ["203.0.113.9"]
    assert list(client.list(Ingress, namespace=namespace)) == []


@pytest.mark.cite("docs/concepts/services-networking/ingress#path-types")
@pytest.mark.needs("create ingresses.networking.k8s.io")
def test_ingress_needs_a_known_path_type(client: Client, namespace: str) -> None:
    """Ingress should be refused when the type of a path is unknown."""
    refused = refusal(lambda: client.create(ingress("web", path_type="Sideways"), namespace=namespace))

    assert (refused, refused.fields) == (Refusal(422, "Invalid", ""), ("spec.rules[0].http.paths[0].pathType",))


@pytest.mark.cite("[sig-network] IngressClass API should support creating IngressClass API operations [Conformance]")
@pytest.mark.conformance
@pytest.mark.cluster_scoped
@pytest.mark.needs("create,delete,list,patch ingressclasses.networking.k8s.io")
def test_ingress_class_operations(client: Client, namespace: str, create_global: Callable[..., Any]) -> None:
    """IngressClass should be created, patched and found by label, and keep its controller for good."""
    made = IngressClass(metadata=ObjectMeta(name=namespace), spec=IngressClassSpec(controller="e2e.test/none"))
    create_global(made)
    client.patch(IngressClass, namespace, {"metadata": {"labels": {"e2e.test/own": namespace}}})
    listed = [name_of(found) for found in client.list(IngressClass, labels={"e2e.test/own": namespace})]
    refused = refusal(lambda: client.patch(IngressClass, namespace, {"spec": {"controller": "e2e.test/other"}}))

    assert listed == [namespace]
    assert (refused, refused.fields) == (Refusal(422, "Invalid", ""), ("spec.controller",))


@pytest.mark.cite("Netpol API should support creating NetworkPolicy API operations")
@pytest.mark.needs("networkpolicies.networking.k8s.io")
def test_network_policy_operations(client: Client, namespace: str) -> None:
    """NetworkPolicy should be created, defaulted, patched and deleted."""
    peer = NetworkPolicyPeer(podSelector=LabelSelector(matchLabels={"app": "client"}))
    rule = NetworkPolicyIngressRule(from_=[peer], ports=[NetworkPolicyPort(port=80)])
    spec = NetworkPolicySpec(podSelector=LabelSelector(matchLabels={"app": "web"}), ingress=[rule])
    made = client.create(NetworkPolicy(metadata=ObjectMeta(name="web"), spec=spec), namespace=namespace)
    patched = client.patch(NetworkPolicy, "web", {"spec": {"policyTypes": ["Ingress", "Egress"]}}, namespace=namespace)
    client.delete(NetworkPolicy, "web", namespace=namespace)

    assert made.spec
    assert made.spec.policyTypes == ["Ingress"]
    assert made.spec.ingress
    assert [port.protocol for port in made.spec.ingress[0].ports or []] == ["TCP"]
    assert patched.spec
    assert patched.spec.policyTypes == ["Ingress", "Egress"]
    assert list(client.list(NetworkPolicy, namespace=namespace)) == []


@pytest.mark.cite("docs/concepts/services-networking/network-policies#targeting-a-range-of-ports")
@pytest.mark.needs("create networkpolicies.networking.k8s.io")
def test_network_policy_port_range_must_ascend(client: Client, namespace: str) -> None:
    """NetworkPolicy should be refused when a range of ports ends before it begins."""
    rule = NetworkPolicyIngressRule(ports=[NetworkPolicyPort(port=90, endPort=80)])
    spec = NetworkPolicySpec(podSelector=LabelSelector(), ingress=[rule])
    policy = NetworkPolicy(metadata=ObjectMeta(name="web"), spec=spec)
    refused = refusal(lambda: client.create(policy, namespace=namespace))

    assert (refused, refused.fields) == (Refusal(422, "Invalid", ""), ("spec.ingress[0].ports[0].endPort",))
