"""What the pod network is laid by comes from outside, and is told apart before any machine is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.contracts import Deadline
from providers.hosts.marker import Marker
from providers.kubeadm.network import lay
from providers.testing import FakeNode
from upload.errors import StepError

HOST0 = {"ifname": "host0", "mtu": 1500, "addr_info": [{"local": "10.66.0.11"}]}


def lay_on(node: FakeNode, cidr: str) -> None:
    deadline = Deadline.after(60, "the test")
    markers = {node.name: Marker(node, "run-1", deadline)}
    lay(markers, {node.name: cidr}, network="vxlan", pod_cidr="10.244.0.0/16", deadline=deadline)


@pytest.mark.parametrize(
    ("address", "links", "cidr", "says"),
    [
        pytest.param("w1.example.com", [HOST0], "10.244.1.0/24", "'w1.example.com' is no address", id="a name"),
        pytest.param("10.66.0.11", [HOST0], "$(reboot)", r"'\$\(reboot\)' is no network of pods", id="no network"),
        pytest.param("10.66.0.11", [HOST0], "10.245.1.0/24", "not in 10.244.0.0/16", id="another network"),
        pytest.param("10.66.0.11", [HOST0], "fd00::/64", "not in 10.244.0.0/16", id="another family"),
        pytest.param("192.0.2.1", [{}, {}], "10.244.1.0/24", "no link of it has the address 192.0.2.1", id="no link"),
        pytest.param("192.0.2.1", [], "10.244.1.0/24", "no link of it has the address 192.0.2.1", id="nothing"),
    ],
)
def test_what_cannot_be_used_is_said_with_the_machine(
    address: str, links: list[dict[str, Any]], cidr: str, says: str
) -> None:
    asked = ("ip", "-json", "address", "show", "to", address)
    node = FakeNode(addresses=(address,), answers={" ".join(asked): json.dumps(links)})

    with pytest.raises(StepError, match=f"^Pod network on w1: .*{says}"):
        lay_on(node, cidr)
    assert [argv for argv, _ in node.ran] in ([], [asked])


def machine(number: int, mtu: int = 1500) -> FakeNode:
    answers = {
        "ip -json": json.dumps([HOST0 | {"mtu": mtu}]),
        "sh -c 'for folder": "/usr/lib/cni\n",
        "sh -c 'for name": "net.ipv4.ip_forward\n",
        "sh -c '[ -d /sys/module/vxlan": "vxlan\n",
        "sh -c 'cmp": "differs\n",
    }
    return FakeNode(f"h{number}", addresses=(f"10.66.0.1{number}",), answers=dict(answers))


def lay_on_two(first: FakeNode, second: FakeNode) -> None:
    deadline = Deadline.after(60, "the test")
    markers = {node.name: Marker(node, "run-1", deadline) for node in (first, second)}
    cidrs = {"h1": "10.244.0.0/24", "h2": "10.244.1.0/24"}
    lay(markers, cidrs, network="vxlan", pod_cidr="10.244.0.0/16", deadline=deadline)


def test_everything_is_recorded_before_it_is_made_and_pods_come_last() -> None:
    node = machine(1)

    lay_on_two(node, machine(2))

    changed = [argv[4:] if argv[:2] == ("sh", "-s") else argv for argv, _ in node.ran if argv[:2] != ("sh", "-c")]
    assert changed == [
        ("ip", "-json", "address", "show", "to", "10.66.0.11"),
        ("sysctl", "net.ipv4.ip_forward", "1"),
        ("module", "vxlan"),
        ("link", "e2e-pods"),
        ("route", "10.244.1.0/24"),
        ("chain", "nat", "E2E-PODS"),
        ("chain", "filter", "E2E-PODS"),
        ("file", "/usr/local/lib/federated-e2e/pod-network"),
        ("put", "/usr/local/lib/federated-e2e/pod-network", "755"),
        ("file", "/etc/systemd/system/federated-e2e-pods.service"),
        ("put", "/etc/systemd/system/federated-e2e-pods.service", "644"),
        ("/usr/local/lib/federated-e2e/pod-network",),
        ("unit", "federated-e2e-pods"),
        ("file", "/etc/cni/net.d/10-federated-e2e.conflist"),
        ("put", "/etc/cni/net.d/10-federated-e2e.conflist", "644"),
    ]


def test_packets_fit_the_machine_that_takes_the_smallest() -> None:
    nodes = [machine(1, mtu=9000), machine(2, mtu=1400)]

    lay_on_two(*nodes)

    written = [json.loads(node.files["/etc/cni/net.d/10-federated-e2e.conflist"]) for node in nodes]
    assert [file["plugins"][0]["mtu"] for file in written] == [1350, 1350]
