"""Names that pods resolve: what the cluster's DNS answers, and what the kubelet tells a pod to ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.core_v1 import ServicePort

from e2e.suite.containers import EXEC, FOREVER, RUN, RUN_S, Inside, Pods, agnhost, lasting, once, shell
from e2e.suite.network.services import resolver, service, spec_of

pytestmark = [
    pytest.mark.sig("network"),
    pytest.mark.requires("pods-run", "dns", "services"),
    pytest.mark.needs(*RUN, EXEC, "services"),
]

Eventually = Callable[..., Any]
Dig = Callable[..., None]
PORT = [ServicePort(name="http", port=80, protocol="TCP")]


@pytest.fixture
def dig(pods: Pods, inside: Inside, eventually: Eventually) -> Dig:
    """Return a function that waits until a name has exactly these records, asked in a pod as programs ask."""
    pods.start(lasting("client", agnhost("pause")))

    def wait(name: str, kind: str, wanted: list[str]) -> None:
        __tracebackhide__ = True
        ask = f"dig +search +short +time=5 +tries=1 {name} {kind}"
        eventually(
            lambda: sorted(inside("client", ask, check=False).stdout.splitlines()),
            until=lambda seen: seen == sorted(wanted),
            timeout_s=RUN_S,
            what=f"`{ask}` in a pod says {sorted(wanted)} (CoreDNS, kube-proxy)",
        )

    return wait


def address_of(client: Client, namespace: str, name: str, **fields: Any) -> str:
    """Create a service and return its cluster IP."""
    return spec_of(client.create(service(name, ports=PORT, **fields), namespace=namespace)).clusterIP or ""


@pytest.mark.cite("[sig-network] DNS should provide DNS for services [Conformance]")
@pytest.mark.cite(
    "[sig-network] DNS should resolve DNS of partial qualified names for services [LinuxOnly] [Conformance]"
)
@pytest.mark.conformance
def test_names_of_a_service(client: Client, namespace: str, dig: Dig) -> None:
    """Service should be found by its name alone, with its namespace, and in full."""
    address = address_of(client, namespace, "web")

    for name in ("web", f"web.{namespace}", f"web.{namespace}.svc", f"web.{namespace}.svc.cluster.local."):
        dig(name, "A", [address])


@pytest.mark.cite("docs/concepts/services-networking/dns-pod-service#namespaces-of-services")
def test_service_of_another_namespace(
    client: Client, namespace: str, make_namespace: Callable[..., str], dig: Dig
) -> None:
    """Service should be found from another namespace with the name of its own one, and not without."""
    other = make_namespace()
    mine, theirs = address_of(client, namespace, "both"), address_of(client, other, "both")
    alone = address_of(client, other, "alone")

    dig("both", "A", [mine])
    dig(f"both.{other}", "A", [theirs])
    dig(f"alone.{other}", "A", [alone])
    dig("alone", "A", [])


@pytest.mark.cite("[sig-network] DNS should provide DNS for the cluster [Conformance]")
@pytest.mark.conformance
def test_name_of_the_api_server(pods: Pods, inside: Inside, dig: Dig) -> None:
    """API server should be found at the address of its service."""
    environment = inside("client", "echo $KUBERNETES_SERVICE_HOST").stdout.strip()

    dig("kubernetes.default.svc.cluster.local.", "A", [environment])


@pytest.mark.cite("docs/concepts/services-networking/dns-pod-service#srv-records")
def test_named_port(client: Client, namespace: str, dig: Dig) -> None:
    """Named port of a service should have a record with its number."""
    address_of(client, namespace, "web")
    full = f"web.{namespace}.svc.cluster.local."

    dig(f"_http._tcp.{full}", "SRV", [f"0 100 80 {full}"])


@pytest.mark.cite("docs/concepts/services-networking/service#headless-services")
@pytest.mark.depends("endpointslice-controller")
def test_headless_service(client: Client, namespace: str, pods: Pods, dig: Dig) -> None:
    """Headless service should be the addresses of its pods that are ready."""
    address_of(client, namespace, "web", clusterIP="None")
    unready = {"exec": {"command": ["false"]}, "periodSeconds": 1}
    web = {"app": "web"}
    pods.create(lasting("unready", shell(FOREVER, readinessProbe=unready), labels=web))
    made = pods.start(*(lasting(name, agnhost("pause"), labels=web) for name in ("one", "two")))

    dig("web", "A", [pod.status.podIP or "" for pod in made if pod.status])


@pytest.mark.cite("[sig-network] DNS should provide DNS for pods for Hostname [Conformance]")
@pytest.mark.cite("[sig-network] DNS should provide DNS for pods for Subdomain [Conformance]")
@pytest.mark.conformance
@pytest.mark.depends("endpointslice-controller")
def test_name_of_a_pod(client: Client, namespace: str, pods: Pods, dig: Dig) -> None:
    """Pod with a host name and a subdomain should be found below the headless service of that name."""
    address_of(client, namespace, "sub", clusterIP="None")
    made = lasting("a", agnhost("pause"), labels={"app": "sub"}, hostname="host", subdomain="sub")
    status = pods.start(made)[0].status
    assert status

    dig(f"host.sub.{namespace}.svc.cluster.local.", "A", [status.podIP or ""])


@pytest.mark.cite("[sig-network] DNS should provide DNS for ExternalName services [Conformance]")
@pytest.mark.conformance
def test_external_name(client: Client, namespace: str, dig: Dig) -> None:
    """Service with an external name should be an alias of it."""
    address_of(client, namespace, "out", type="ExternalName", externalName="target.example")

    dig(f"out.{namespace}.svc.cluster.local.", "CNAME", ["target.example."])


@pytest.mark.cite("docs/concepts/services-networking/dns-pod-service#pod-s-dns-policy")
def test_search_path(namespace: str, pods: Pods) -> None:
    """Pod should look for names in its namespace, among the services and in the cluster, in this order."""
    found = resolver(pods.output(once("a", shell("cat /etc/resolv.conf"))))

    assert found["search"][:3] == [f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    assert found["options"] == ["ndots:5"]


@pytest.mark.cite("[sig-network] DNS should support configurable pod DNS nameservers [Conformance]")
@pytest.mark.conformance
def test_own_name_servers(pods: Pods) -> None:
    """Pod should get the name servers, search path and options that it asks for, and no others."""
    config = {
        "nameservers": ["192.0.2.53"],
        "searches": ["one.example", "two.example"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }
    made = once("a", shell("cat /etc/resolv.conf"), dnsPolicy="None", dnsConfig=config)

    assert resolver(pods.output(made)) == {
        "nameserver": ["192.0.2.53"],
        "options": ["edns0", "ndots:2"],
        "search": ["one.example", "two.example"],
    }
