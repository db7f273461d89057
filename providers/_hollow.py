"""Hollow nodes: Node objects that kwok keeps Ready and whose pods it lets run at once."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

ZONES = ("zone-a", "zone-b", "zone-c")
CAPACITY = {"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "100Gi"}
_PREFIX_LENGTHS = {4: 24, 6: 64}  # a node's share of the pod network, as kubeadm hands it out


def node_names(cluster: str, count: int) -> tuple[str, ...]:
    """Return the names of ``count`` hollow nodes: ``c1-node-1``, ``c1-node-2`` and so on."""
    return tuple(f"{cluster}-node-{number}" for number in range(1, count + 1))


def nodes(cluster: str, count: int, *, pod_cidr: str, version: str) -> tuple[dict[str, Any], ...]:
    """Return the Node objects of a cluster, with addresses, pod networks and zones that are the same every time.

    ``count`` is at most ``room_for_nodes(pod_cidr)``.
    """
    network = ipaddress.ip_network(pod_cidr)
    shares = itertools.islice(network.subnets(new_prefix=_length(network)), count)
    named = zip(node_names(cluster, count), shares, strict=True)
    return tuple(_node(name, index, str(share), version) for index, (name, share) in enumerate(named))


def room_for_nodes(pod_cidr: str) -> int:
    """Return how many nodes get a network of their own out of ``pod_cidr``."""
    network = ipaddress.ip_network(pod_cidr)
    return 1 << (_length(network) - network.prefixlen)


def _length(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> int:
    return max(_PREFIX_LENGTHS[network.version], network.prefixlen)


def _node(name: str, index: int, pod_cidr: str, version: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/region": "hollow",
                "topology.kubernetes.io/zone": ZONES[index % len(ZONES)],
                "type": "kwok",
            },
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
        "status": {
            # of the blocks reserved for documentation; "localhost" is where kwok answers for the kubelet
            "addresses": [
                {"type": "Hostname", "address": "localhost"},
                {"type": "InternalIP", "address": f"198.51.100.{index % 254 + 1}"},
            ],
            "allocatable": dict(CAPACITY),
            "capacity": dict(CAPACITY),
            "nodeInfo": {
                "kubeletVersion": version,
                "architecture": "amd64",
                "operatingSystem": "linux",
                "bootID": "",
                "containerRuntimeVersion": "kwok",
                "kernelVersion": "kwok",
                "kubeProxyVersion": "",
                "machineID": "",
                "osImage": "hollow",
                "systemUUID": "",
            },
        },
    }
