"""Traffic through Services to pods that run, from pods on every node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.core_v1 import ServicePort
from lightkube.resources.core_v1 import Node, Pod, Service

from e2e.suite.containers import EXEC, RUN, RUN_S, Inside, Pods, agnhost, lasting, once, shell
from e2e.suite.network.services import service, spec_of

pytestmark = [
    pytest.mark.sig("network"),
    pytest.mark.requires("pods-run", "services"),
    pytest.mark.needs(*RUN, EXEC, "services"),
]

Eventually = Callable[..., Any]
HTTP = [ServicePort(port=80, targetPort=8080, protocol="TCP")]
REFUSED = "curl: (7)"
TRIES = 20  # 20 answers of one of two pods by chance: once in half a million runs


def server(name: str, app: str = "web", **fields: Any) -> Pod:
    """Return a pod that says its name, ``GET /hostname``, on port 8080, and on port 8081 of UDP; ready once it does."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 10}
    made = agnhost("netexec", "--http-port=8080", "--udp-port=8081", readinessProbe=probe)
    return lasting(name, made, labels={"app": app}, **fields)


def ip_of(pod: Pod) -> str:
    """Return the address of a pod that runs."""
    assert pod.status
    assert pod.status.podIP
    return pod.status.podIP


def asking(url: str, *, times: int = 1) -> str:
    """Return a script that prints one line for each answer, up to the first one that failed, and why it did."""
    return f"for i in $(seq {times}); do curl -s -S --max-time 5 {url} 2>&1 || break; echo; done"


def answers(inside: Inside, pod: str, url: str, *, times: int = 1) -> list[str]:
    """Return the answers that a pod gets, each once, in order."""
    return sorted(set(inside(pod, asking(url, times=times)).stdout.split("\n")) - {""})


@pytest.mark.cite(
    "[sig-network] Networking Granular Checks: Pods should function for intra-pod communication: http [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.requires("two-nodes")
def test_pods_reach_each_other_across_nodes(pods: Pods, inside: Inside, nodes: tuple[str, ...]) -> None:
    """Pod should reach a pod on another node, which sees its address, and both should reach themselves."""
    first, second = pods.start(*(server(f"p{n}", nodeName=nodes[n]) for n in (0, 1)))
    seen = {
        (source, ip_of(target)): inside(source, asking(f"http://{ip_of(target)}:8080/clientip")).stdout.split(":")[0]
        for source in ("p0", "p1")
        for target in (first, second)
    }

    one, two = ip_of(first), ip_of(second)
    assert seen == {("p0", one): one, ("p0", two): one, ("p1", one): two, ("p1", two): two}


@pytest.mark.cite(
    "[sig-network] Networking Granular Checks: Pods should function for node-pod communication: http [LinuxOnly] [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.requires("two-nodes")
def test_nodes_reach_pods(pods: Pods, inside: Inside, nodes: tuple[str, ...]) -> None:
    """Node should reach the pods of every node."""
    made = (server(f"p{n}", nodeName=nodes[n]) for n in (0, 1))
    host = lasting("host", agnhost("pause"), nodeName=nodes[0], hostNetwork=True)
    first, second, _ = pods.start(*made, host)

    found = [answers(inside, "host", f"http://{ip_of(target)}:8080/hostname") for target in (first, second)]
    assert found == [["p0"], ["p1"]]


@pytest.mark.cite("[sig-network] Services should serve a basic endpoint from pods [Conformance]")
@pytest.mark.conformance
@pytest.mark.depends("endpointslice-controller")
@pytest.mark.requires("two-nodes")
def test_cluster_ip(
    client: Client, namespace: str, pods: Pods, inside: Inside, nodes: tuple[str, ...], eventually: Eventually
) -> None:
    """Service should spread connections from every node over the pods of all nodes."""
    web = spec_of(client.create(service("web", ports=HTTP), namespace=namespace))
    pods.start(*(server(f"p{n}", nodeName=nodes[n]) for n in (0, 1)))

    for source in ("p0", "p1"):
        eventually(
            lambda source=source: answers(inside, source, f"http://{web.clusterIP}/hostname", times=TRIES),
            until=lambda seen: seen == ["p0", "p1"],
            timeout_s=RUN_S,
            what=f"{source} gets answers of both pods from {web.clusterIP}",
        )


@pytest.mark.cite("[sig-network] Services should be able to create a functioning NodePort service [Conformance]")
@pytest.mark.conformance
@pytest.mark.depends("endpointslice-controller")
@pytest.mark.requires("two-nodes")
@pytest.mark.needs("get nodes")
def test_node_port(
    client: Client, namespace: str, pods: Pods, inside: Inside, nodes: tuple[str, ...], eventually: Eventually
) -> None:
    """Service with a node port should answer on the address of every node, wherever its pod runs."""
    ports = spec_of(client.create(service("web", type="NodePort", ports=HTTP), namespace=namespace)).ports
    pods.start(server("p0", nodeName=nodes[0]))

    for node in nodes[:2]:
        status = client.get(Node, node).status
        assert status
        address = next(a.address for a in status.addresses or [] if a.type == "InternalIP")
        url = f"http://{address}:{ports[0].nodePort if ports else 0}/hostname"
        eventually(
            lambda url=url: answers(inside, "p0", url),
            until=lambda seen: seen == ["p0"],
            timeout_s=RUN_S,
            what=f"node {node} answers at {url}",
        )


@pytest.mark.cite(
    "[sig-network] Services should have session affinity work for service with type clusterIP [LinuxOnly] [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.depends("endpointslice-controller")
def test_session_affinity(client: Client, namespace: str, pods: Pods, inside: Inside, eventually: Eventually) -> None:
    """Service with session affinity should give a client the same pod each time, and without it no longer."""
    web = service("web", ports=HTTP, sessionAffinity="ClientIP")
    address = spec_of(client.create(web, namespace=namespace)).clusterIP
    url = f"http://{address}/hostname"
    pods.start(server("p0"), server("p1"), server("client", app="client"))

    eventually(
        lambda: answers(inside, "client", url),
        until=lambda seen: seen in (["p0"], ["p1"]),
        timeout_s=RUN_S,
        what=f"a pod answers at {url}",
    )
    first = answers(inside, "client", url, times=TRIES)
    assert first in (["p0"], ["p1"])

    client.patch(Service, "web", {"spec": {"sessionAffinity": "None"}}, namespace=namespace)
    eventually(
        lambda: answers(inside, "client", url, times=TRIES),
        until=lambda seen: seen == ["p0", "p1"],
        timeout_s=RUN_S,
        what=f"both pods answer at {url} without affinity",
    )


@pytest.mark.cite("docs/concepts/workloads/pods/probes#readiness-probe")
@pytest.mark.depends("endpointslice-controller")
def test_traffic_follows_readiness(
    client: Client, namespace: str, pods: Pods, inside: Inside, eventually: Eventually
) -> None:
    """Service should send connections to pods that are ready only, and refuse them when there is none."""
    url = f"http://{spec_of(client.create(service('web', ports=HTTP), namespace=namespace)).clusterIP}/hostname"
    gate = {"exec": {"command": ["sh", "-c", "test -e /tmp/ready"]}, "periodSeconds": 1, "timeoutSeconds": 10}
    containers = [agnhost("netexec", "--http-port=8080", readinessProbe=gate | {"failureThreshold": 1})]
    pods.start(server("client", app="client"))
    pods.create(lasting("gated", *containers, labels={"app": "web"}))
    eventually(lambda: pods.container("gated").started, timeout_s=RUN_S)

    for script, wanted in (("true", REFUSED), ("touch /tmp/ready", "gated"), ("rm /tmp/ready", REFUSED)):
        inside("gated", script)
        eventually(
            lambda: answers(inside, "client", url),
            until=lambda seen, wanted=wanted: [wanted in line for line in seen] == [True],
            timeout_s=RUN_S,
            what=f"{url} says {wanted} after {script}",
        )


@pytest.mark.cite("docs/concepts/services-networking/service#defining-a-service")
@pytest.mark.depends("endpointslice-controller")
def test_traffic_follows_the_selector(
    client: Client, namespace: str, pods: Pods, inside: Inside, eventually: Eventually
) -> None:
    """Service should send connections to other pods once its selector is changed."""
    url = f"http://{spec_of(client.create(service('web', ports=HTTP), namespace=namespace)).clusterIP}/hostname"
    pods.start(server("blue", app="web"), server("green", app="other"))

    for app, wanted in (("web", "blue"), ("other", "green")):
        client.patch(Service, "web", {"spec": {"selector": {"app": app}}}, namespace=namespace)
        eventually(
            lambda: answers(inside, "blue", url),
            until=lambda seen, wanted=wanted: seen == [wanted],
            timeout_s=RUN_S,
            what=f"pod {wanted} answers at {url}",
        )


@pytest.mark.cite(
    "docs/tasks/debug/debug-application/debug-service#edge-case-a-pod-fails-to-reach-itself-via-the-service-ip"
)
@pytest.mark.depends("endpointslice-controller")
def test_hairpin(client: Client, namespace: str, pods: Pods, inside: Inside, eventually: Eventually) -> None:
    """Pod should reach itself through its own service."""
    url = f"http://{spec_of(client.create(service('web', ports=HTTP), namespace=namespace)).clusterIP}/hostname"
    pods.start(server("p0"))

    eventually(
        lambda: answers(inside, "p0", url),
        until=lambda seen: seen == ["p0"],
        timeout_s=RUN_S,
        what=f"pod p0 answers itself at {url}",
    )


@pytest.mark.cite("[sig-network] Services should serve endpoints on same port and different protocols [Conformance]")
@pytest.mark.conformance
@pytest.mark.depends("endpointslice-controller")
def test_protocols_on_one_port(
    client: Client, namespace: str, pods: Pods, inside: Inside, eventually: Eventually
) -> None:
    """Service should carry TCP and UDP on the same port."""
    tcp, udp = (
        ServicePort(name=name, port=80, targetPort=target, protocol=name.upper())
        for name, target in (("tcp", 8080), ("udp", 8081))
    )
    address = spec_of(client.create(service("web", ports=[tcp, udp]), namespace=namespace)).clusterIP
    pods.start(server("p0"), server("client", app="client"))

    # netexec asks for us and says what it was answered
    for protocol in ("http", "udp"):
        url = f"http://localhost:8080/dial?request=hostname&protocol={protocol}&host={address}&port=80&tries=1"
        eventually(
            lambda url=url: inside("client", asking(f"'{url}'")).stdout.strip(),
            until=lambda said: said == '{"responses":["p0"]}',
            timeout_s=RUN_S,
            what=f"{protocol} to {address}:80",
        )


@pytest.mark.cite("[sig-network] Services should serve multiport endpoints from pods [Conformance]")
@pytest.mark.conformance
@pytest.mark.depends("endpointslice-controller")
def test_named_ports(client: Client, namespace: str, pods: Pods, inside: Inside, eventually: Eventually) -> None:
    """Service should send each of its ports to the port of that name, which differs from pod to pod."""
    ports = [
        ServicePort(name=name, port=port, targetPort=name, protocol="TCP") for name, port in (("a", 80), ("b", 81))
    ]
    address = spec_of(client.create(service("web", ports=ports), namespace=namespace)).clusterIP
    for name, port, listens in (("pod-a", "a", 8080), ("pod-b", "b", 9090)):
        named = [{"name": port, "containerPort": listens}]
        made = agnhost("netexec", f"--http-port={listens}", "--udp-port=-1", ports=named)
        pods.create(lasting(name, made, labels={"app": "web"}))
    for name in ("pod-a", "pod-b"):
        pods.ready(name)

    for number, wanted in ((80, "pod-a"), (81, "pod-b")):
        url = f"http://{address}:{number}/hostname"
        eventually(
            lambda url=url: answers(inside, "pod-a", url),
            until=lambda seen, wanted=wanted: seen == [wanted],
            timeout_s=RUN_S,
            what=f"{wanted} answers at {url}",
        )


@pytest.mark.cite("[sig-node] Pods should contain environment variables for services [NodeConformance] [Conformance]")
@pytest.mark.conformance
def test_service_environment(client: Client, namespace: str, pods: Pods, eventually: Eventually) -> None:
    """Pod should find the services of its namespace in its environment, unless it wants none."""
    address = spec_of(client.create(service("web-1", ports=HTTP), namespace=namespace)).clusterIP

    def environment(name: str, **fields: Any) -> list[str]:
        written = pods.output(once(name, shell("env"), **fields))
        return sorted(line for line in written.splitlines() if line.startswith("WEB_1_SERVICE_"))

    # the kubelet hears of a new service a little later than of a new pod
    tries = iter(range(100))
    eventually(
        lambda: environment(f"with{next(tries)}"),
        until=lambda seen: seen == [f"WEB_1_SERVICE_HOST={address}", "WEB_1_SERVICE_PORT=80"],
        timeout_s=RUN_S,
    )
    assert environment("without", enableServiceLinks=False) == []
