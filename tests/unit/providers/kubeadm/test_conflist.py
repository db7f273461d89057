"""The network of a node's pods is rendered whole."""

from __future__ import annotations

import json

import pytest

from providers.kubeadm.conflist import conflist, pod_mtu


@pytest.mark.parametrize(
    ("pod_cidr", "everywhere"),
    [pytest.param("10.244.1.0/24", "0.0.0.0/0", id="IPv4"), pytest.param("fd00:1::/64", "::/0", id="IPv6")],
)
def test_conflist_gives_pods_the_network_of_their_node(pod_cidr: str, everywhere: str) -> None:
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "ranges": [[{"subnet": pod_cidr}]],
        "routes": [{"dst": everywhere}],
    }

    assert json.loads(conflist(pod_cidr, mtu=1450)) == {
        "cniVersion": "1.0.0",
        "name": "federated-e2e",
        "plugins": [
            {"type": "ptp", "mtu": 1450, "ipMasq": False, "ipam": ipam},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


@pytest.mark.parametrize(
    ("network", "between", "mtu"),
    [
        pytest.param("routes", "10.66.0.11", 1500, id="routes add nothing"),
        pytest.param("vxlan", "10.66.0.11", 1450, id="vxlan over IPv4"),
        pytest.param("vxlan", "fd00::11", 1430, id="vxlan over IPv6"),
    ],
)
def test_pods_leave_room_for_what_carries_their_packets(network: str, between: str, mtu: int) -> None:
    assert pod_mtu(1500, network=network, between=between) == mtu
