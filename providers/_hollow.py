"""Hollow nodes: Node objects that kwok keeps Ready and whose pods it lets run at once."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

from upload.errors import ProviderError

ZONES = ("zone-a", "zone-b", "zone-c")
CAPACITY = {"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "100Gi"}
_PREFIX_LENGTHS = {4: 24, 6: 64}  # a node's share of the pod network, as kubeadm hands it out


def node_names(cluster: str, count: int) -> tuple[str, ...]:
    """Return the names of ``count`` hollow nodes: ``c1-node-1``, ``c1-node-2`` and so on."""
    return tuple(f"{cluster}-node-{number}" for number in range(1, count + 1))


def nodes(cluster: str, count: int, *, pod_cidr: str, version: str) -> tuple[dict[str, Any], ...]:
    """Return the Node objects of a cluster, with addresses, pod networks and zones that are the same every time.

    Raises: ProviderError when ``pod_cidr`` is too small for as many nodes.
    """
    network = ipaddress.ip_network(pod_cidr)
    length = max(_PREFIX_LENGTHS[network.version], network.prefixlen)
    shares = tuple(itertools.islice(network.subnets(new_prefix=length), count))
    if len(shares) < count:
        raise ProviderError(
            f"{pod_cidr} has room for {len(shares)} nodes, {count} are asked for", hint="widen cluster.pod_cidr"
        )
    names = node_names(cluster, count)
    return tuple(_node(name, index, str(shares[index]), version) for index, name in enumerate(names))


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
