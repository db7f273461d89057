"""Lays the pod network on machines: the standard CNI plugins on each, and static tunnels or routes between them.

No daemon: what is laid stays as it is, and comes back at each boot. ``pod_script`` says how, and why.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence

from providers.contracts import Deadline, Node
from providers.hosts.marker import Marker
from providers.kubeadm.conflist import PLUGINS, conflist, pod_mtu
from providers.kubeadm.pod_script import (
    CHAIN,
    LINK,
    SCRIPT,
    TABLES,
    UNIT,
    UNIT_FILE,
    UNIT_TEXT,
    End,
    PodNetwork,
    script,
)
from providers.nodes import fan_out
from upload.errors import StepError

WHAT = "Pod network"
CONFLIST = "/etc/cni/net.d/10-federated-e2e.conflist"
# where Debian's and Ubuntu's package puts the plugins, and where upstream's archive does
PLUGIN_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin")
# a folder must have all of them
_PLUGIN_FOLDER = f"""for folder in {" ".join(PLUGIN_FOLDERS)}; do
    for plugin in {" ".join(PLUGINS)}; do [ -x "$folder/$plugin" ] || continue 2; done
    echo "$folder"
    exit
done
"""
_THOSE_THERE = 'for name in "$@"; do [ ! -e "/proc/sys/$(echo "$name" | tr . /)" ] || echo "$name"; done'

# one that is loaded by itself with the link would stay behind
_LOADABLE = "[ -d /sys/module/vxlan ] || ! modprobe -n -q vxlan || echo vxlan"


def lay(
    markers: Mapping[str, Marker], cidrs: Mapping[str, str], *, network: str, pod_cidr: str, deadline: Deadline
) -> None:
    """Connect the pods of all nodes. Called again, as with one more node, it changes only what differs.

    ``cidrs``: node name → the network of its pods; ``network``: vxlan or routes; ``pod_cidr``: of all pods.
    Raises: StepError for a machine that it does not work on; ManyErrors; whatever is refused because it is not ours.
    """
    ends = {name: _end(marker.node, cidrs[name], pod_cidr) for name, marker in markers.items()}
    nodes = [marker.node for marker in markers.values()]
    mtus = fan_out(nodes, lambda node: _mtu(markers[node.name], network), what=WHAT, deadline=deadline)
    # the same everywhere: a machine of larger packets would send what others cannot take
    pods = PodNetwork(network, ipaddress.ip_network(pod_cidr), min(mtus.values()))

    def on(node: Node) -> None:
        others = [end for name, end in ends.items() if name != node.name]
        _lay_on(markers[node.name], pods, ends[node.name], others)

    fan_out(nodes, on, what=WHAT, deadline=deadline)


def plugin_folder(marker: Marker) -> str:
    """Return the folder of a machine that has the plugins we need. Raises: StepError."""
    found = marker.command(WHAT, "sh", "-c", _PLUGIN_FOLDER).strip()
    if found not in PLUGIN_FOLDERS:
        places = " and ".join(PLUGIN_FOLDERS)
        raise StepError(
            WHAT,
            f"the network plugins {', '.join(PLUGINS)} are not in {places}",
            node=marker.node.name,
            hint="apt-get install --yes containernetworking-plugins   (on the machine)",
        )
    return found


def _lay_on(marker: Marker, pods: PodNetwork, own: End, others: Sequence[End]) -> None:
    plugin_folder(marker)
    for name in marker.command(WHAT, "sh", "-c", _THOSE_THERE, "there", *pods.sysctls).split():
        marker.set_sysctl(name, "1")
    if pods.network == "vxlan":
        for module in marker.command(WHAT, "sh", "-c", _LOADABLE).split():
            marker.load_module(module)
        marker.own_link(LINK)
    marker.own_routes([str(other.cidr) for other in others])
    for table in TABLES:
        marker.own_chain(table, CHAIN)
    marker.update_file(SCRIPT, script(pods, own, others).encode(), mode=0o755)
    marker.update_file(UNIT_FILE, UNIT_TEXT.encode())
    marker.command(WHAT, SCRIPT)
    marker.enable_unit(UNIT)
    # the last one: with it the node is Ready and gets pods
    marker.update_file(CONFLIST, conflist(str(own.cidr), mtu=pods.mtu).encode())


def _end(node: Node, cidr: str, pod_cidr: str) -> End:
    """Return a node's end. Both come from outside: the address from a config, the network from the cluster."""
    try:
        address = ipaddress.ip_address(node.addresses[0])
    except ValueError as exc:
        what = f"{node.addresses[0]!r} is no address, and other nodes are told how to reach its pods by that"
        raise StepError(WHAT, what, node=node.name, hint="give the machine's internal address in the config") from exc
    try:
        own, whole = ipaddress.ip_network(cidr), ipaddress.ip_network(pod_cidr)
    except ValueError as exc:
        raise StepError(WHAT, f"{cidr!r} is no network of pods", node=node.name) from exc
    if own.version != whole.version or not own.subnet_of(whole):  # type: ignore[arg-type]  # versions are the same
        raise StepError(WHAT, f"its pods have {own}, which is not in {whole}", node=node.name)
    return End(address, own)


def _mtu(marker: Marker, network: str) -> int:
    """Return the largest packet that a pod of this machine may send to other nodes."""
    address = marker.node.addresses[0]
    links = json.loads(marker.command(WHAT, "ip", "-json", "address", "show", "to", address) or "[]")
    mtus = [link["mtu"] for link in links if link.get("addr_info")]
    if not mtus:
        what = f"no link of it has the address {address}, by which the other nodes reach it"
        raise StepError(WHAT, what, node=marker.node.name, hint="give the machine's internal address in the config")
    return pod_mtu(min(mtus), network=network, between=address)
