"""The network of the pods of one node, as the file that containerd reads."""

from __future__ import annotations

import ipaddress
import json

VXLAN_OVERHEAD = {4: 50, 6: 70}  # bytes of outer Ethernet, IP, UDP and VXLAN headers; RFC 7348, section 5
PLUGINS = ("ptp", "host-local", "portmap")


def conflist(pod_cidr: str, *, mtu: int) -> str:
    """Return the CNI configuration of a node that has the pod network ``pod_cidr``: ptp, host-local and portmap."""
    everywhere = "::/0" if ipaddress.ip_network(pod_cidr).version == 6 else "0.0.0.0/0"
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",  # gone after a reboot, as the pods are
        "ranges": [[{"subnet": pod_cidr}]],
        "routes": [{"dst": everywhere}],
    }
    # with ipMasq pods of other nodes would not see the address of the pod
    ptp = {"type": "ptp", "mtu": mtu, "ipMasq": False, "ipam": ipam}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": "federated-e2e", "plugins": [ptp, portmap]}, indent=2) + "\n"


def pod_mtu(link_mtu: int, *, network: str, between: str) -> int:
    """Return the largest packet of a pod; ``between`` is an address by which nodes reach each other."""
    return link_mtu - VXLAN_OVERHEAD[ipaddress.ip_address(between).version] if network == "vxlan" else link_mtu
