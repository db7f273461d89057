from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.core_v1 import ServicePort
from lightkube.resources.core_v1 import Service

from e2e.suite.network.services import service, spec_of
from e2e.suite.refusals import Refusal, refusal

pytestmark = [pytest.mark.sig("network"), pytest.mark.needs("services")]

Eventually = Callable[..., Any]


@pytest.mark.cite("docs/reference/networking/virtual-ips#ip-address-assignment")
def test_cluster_ips_are_distinct(client: Client, namespace: str) -> None:
    """Service should get a cluster IP of its own, also when another wants the same one."""
    first = spec_of(client.create(service("a"), namespace=namespace))
    assert first.clusterIP
    taken = service("b", clusterIP=first.clusterIP)

    assert ipaddress.ip_address(first.clusterIP).is_private
    assert first.clusterIPs == [first.clusterIP]
    refused = refusal(lambda: client.create(taken, namespace=namespace))
    assert (refused, refused.fields) == (Refusal(422, "Invalid", ""), ("spec.clusterIPs",))
    assert spec_of(client.create(service("b"), namespace=namespace)).clusterIP != first.clusterIP


@pytest.mark.cite("docs/concepts/services-networking/service#choosing-your-own-ip-address")
def test_freed_cluster_ip_can_be_chosen(client: Client, namespace: str, eventually: Eventually) -> None:
    """Service should be given the cluster IP that it asks for once nobody has it."""
    first = spec_of(client.create(service("a"), namespace=namespace))
    client.delete(Service, "a", namespace=namespace)

    again = eventually(lambda: client.create(service("b", clusterIP=first.clusterIP), namespace=namespace))
    assert spec_of(again).clusterIP == first.clusterIP


@pytest.mark.cite(
    "[sig-network] Services should be able to change the type from ClusterIP to ExternalName [Conformance]"
)
@pytest.mark.cite(
    "[sig-network] Services should be able to change the type from ExternalName to NodePort [Conformance]"
)
def test_type_changes(client: Client, namespace: str) -> None:
    """Service should take and give up its cluster IP and node port when its type changes."""
    client.create(service("a"), namespace=namespace)
    external = {"spec": {"type": "ExternalName", "externalName": "example.com", "clusterIP": None, "clusterIPs": None}}
    named = spec_of(client.patch(Service, "a", external, namespace=namespace))
    back = {"spec": {"type": "NodePort", "externalName": None}}
    ported = spec_of(client.patch(Service, "a", back, namespace=namespace))

    assert (named.type, named.clusterIP, named.externalName) == ("ExternalName", None, "example.com")
    assert ported.clusterIP
    assert ported.ports
    assert 30000 <= (ported.ports[0].nodePort or 0) <= 32767


@pytest.mark.cite("docs/concepts/services-networking/service#nodeport-custom-port")
def test_node_port_is_not_given_twice(client: Client, namespace: str) -> None:
    """Service should be refused a node port that another one has."""
    first = spec_of(client.create(service("a", type="NodePort"), namespace=namespace))
    assert first.ports
    same = ServicePort(port=80, nodePort=first.ports[0].nodePort)
    refused = refusal(lambda: client.create(service("b", type="NodePort", ports=[same]), namespace=namespace))

    assert (refused, refused.fields) == (Refusal(422, "Invalid", ""), ("spec.ports[0].nodePort",))


@pytest.mark.cite("[sig-network] Services should complete a service status lifecycle [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("patch services/status")
def test_status_lifecycle(client: Client, namespace: str) -> None:
    """Service should keep a load balancer's address in its status apart from its spec."""
    client.create(service("a", type="LoadBalancer"), namespace=namespace)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}, "spec": {"selector": {"app": "x"}}}
    client.patch(Service.Status, "a", status, namespace=namespace)

    found = client.get(Service, "a", namespace=namespace)
    assert found.status
    assert found.status.loadBalancer
    assert [ingress.ip for ingress in found.status.loadBalancer.ingress or []] == ["203.0.113.7"]
    assert spec_of(found).selector == {"app": "a"}
