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
