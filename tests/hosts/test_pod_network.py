"""Pods of different machines reach each other, without Kubernetes: the plugins are called as containerd calls them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import Deadline, Node
from providers.hosts.marker import Marker
from providers.hosts.owner import Owner
from providers.hosts.preflight import Wanted
from providers.hosts.taking import give_back, take
from providers.kubeadm.network import CONFLIST, lay, plugin_folder
from providers.nodes import fan_out
from providers.ssh.access import Access, Endpoint, KeyFile, Patience
from providers.ssh.session import Ssh
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.labs import Lab
from tests.support.lab.values import LabHost
from upload.errors import CommandError

pytestmark = pytest.mark.hosts

NOW_S = 1_795_000_000
OWNER = Owner("ci-kubernetes-e2e-lab-20260102000000", "me@here", NOW_S, NOW_S + 3600)
POD_CIDR = "10.244.0.0/16"
CIDRS = {"h1": "10.244.0.0/24", "h2": "10.244.1.0/24", "h3": "10.244.2.0/24"}
MTU = {"vxlan": 1450, "routes": 1500}
PING_HEADERS = 28
POD = "cni-e2e"  # containerd's form
PORT = 8080
HOST_PORT = 30080

# what laying the network may touch
STATE = """
ip -o link | sed 's/@.*//; s/ state .*//' | cut -d ' ' -f 2-; ip -o address; ip route; ip -6 route | grep -v fe80
bridge fdb show; ip neighbour show nud permanent
iptables-save | grep -e ^-A -e '^:.* - '; ip6tables-save | grep -e ^-A -e '^:.* - '
find /etc /usr/local /opt /run/netns | grep -v -e resolv.conf
cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/bridge/bridge-nf-call-iptables
systemctl is-enabled federated-e2e-pods 2>&1; systemctl --failed --no-legend
true
"""
# answers every connection with the address that it came from
SERVE = f"socat TCP-LISTEN:{PORT},fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'"


@dataclass(frozen=True)
class Site:
    """Machines that were taken, by name."""

    markers: Mapping[str, Marker]
    lab: Lab

    def lay(self, network: str, names: Sequence[str] = ("h1", "h2")) -> None:
        markers = {name: self.markers[name] for name in names}
        lay(markers, CIDRS, network=network, pod_cidr=POD_CIDR, deadline=within())

    def sh(self, name: str, text: str) -> str:
        return self.markers[name].node.run(("sh", "-euc", text), deadline=within()).stdout


def within(seconds: float = 60.0) -> Deadline:
    return Deadline.after(seconds, "the test")


@contextmanager
def machines(lab: Lab, folder: Path, hosts: Sequence[LabHost]) -> Iterator[list[Node]]:
    patience = Patience(connect_s=5.0, keepalive_s=1.0, misses=2)
    access = Access(hosts[0].user, KeyFile(hosts[0].key_file))
    with Ssh(access, pins=folder / "pins", run=OWNER.run, patience=patience) as ssh:
        nodes: list[Node] = []
        nodes.extend(ssh.node(h.name, "worker", Endpoint(h.address, host_key=h.host_key)) for h in hosts)
        yield nodes


@contextmanager
def taken(lab: Lab, folder: Path, hosts: Sequence[LabHost]) -> Iterator[Site]:
    """Give machines that are given back in the end, and look whether they are as they were."""
    with machines(lab, folder, hosts) as nodes:
        before = fan_out(nodes, state, what="looking", deadline=within())
        wanted = Wanted(vxlan=True)
        markers = take(nodes, OWNER, deadline=within(), now_s=NOW_S, wanted=wanted)
        for marker in markers.values():  # as the installation of Kubernetes does
            marker.own_tree("/etc/cni/net.d")
            marker.own_tree("/run/cni-ipam-state")
            marker.own_pods()
        site = Site(markers, lab)
        yield site
        for name in markers:
            site.sh(name, "systemctl stop serve")
        give_back(nodes, OWNER.run, deadline=within())
        assert fan_out(nodes, state, what="looking", deadline=within()) == before


def state(node: Node) -> list[str]:
    return node.run(("sh", "-c", STATE), deadline=within()).stdout.splitlines()


def add_pod(site: Site, name: str) -> str:
    """Make what a pod has of the network, with a server in it, and return its address."""
    node = site.markers[name].node
    site.sh(
        name,
        f"ip netns add {POD}; ip -n {POD} link set lo up; systemd-run --quiet --collect --unit serve ip netns exec {POD} {SERVE}",
    )
    result: dict[str, Any] = {}
    for plugin in json.loads(site.sh(name, f"cat {CONFLIST}"))["plugins"]:
        result = call_plugin(node, "ADD", plugin, result)
    return str(result["ips"][0]["address"].partition("/")[0])


def call_plugin(node: Node, command: str, plugin: dict[str, Any], former: dict[str, Any]) -> dict[str, Any]:
    """Do what containerd does for each plugin of a list. Source: the CNI specification, section 3."""
    folder = plugin_folder(node, deadline=within())
    told = {**plugin, "cniVersion": "1.0.0", "name": "federated-e2e"}
    if former:
        told["prevResult"] = former
    if plugin.get("capabilities"):
        mapping = {"hostPort": HOST_PORT, "containerPort": PORT, "protocol": "tcp"}
        told["runtimeConfig"] = {"portMappings": [mapping]}
    words = ("CNI_CONTAINERID=e2e", f"CNI_NETNS=/run/netns/{POD}", "CNI_IFNAME=eth0", f"CNI_PATH={folder}")
    argv = ("env", f"CNI_COMMAND={command}", *words, f"{folder}/{plugin['type']}")
    printed = node.run(argv, deadline=within(), stdin=json.dumps(told).encode()).stdout
    return dict(json.loads(printed)) if printed.strip() else {}


@contextmanager
def callers(address: str) -> Iterator[tuple[int, list[str]]]:
    """Listen on this machine; give the port, and the addresses of who connected."""
    seen: list[str] = []
    with socket.create_server((address, 0)) as server:

        def accept() -> None:
            while True:
                try:
                    wire, peer = server.accept()
                except OSError:
                    return
                seen.append(peer[0])
                wire.close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], seen
        server.shutdown(socket.SHUT_RDWR)


def assert_connected(site: Site, network: str, pods: Mapping[str, str]) -> None:
    """Everything that a pod may want of the network of its node."""
    size = MTU[network] - PING_HEADERS
    for name, own in pods.items():
        inside = f"ip netns exec {POD}"
        for other, far in pods.items():
            seen = site.sh(name, f"{inside} socat -T5 - TCP:{far}:{PORT} < /dev/null").strip()
            assert (name, other, seen) == (name, other, own), "pods see each other's addresses"
            site.sh(name, f"{inside} ping -q -c 1 -W 5 -M do -s {size} {far}")
            site.sh(name, f"ping -q -c 1 -W 5 {far}")  # a node reaches pods everywhere
            if other != name:
                with pytest.raises(CommandError):
                    site.sh(name, f"{inside} ping -q -c 1 -W 1 -M do -s {size + 1} {far}")
        address = site.markers[name].node.addresses[0]
        with callers(str(site.lab.names.gateway)) as (port, seen_outside):
            site.sh(name, f"{inside} socat -T5 - TCP:{site.lab.names.gateway}:{port} < /dev/null")
        assert seen_outside == [address], "outside a pod has the address of its node"
        with socket.create_connection((address, HOST_PORT), timeout=5) as wire:
            assert wire.recv(100).decode().strip() == str(site.lab.names.gateway), "a port of the node is the pod's"


def test_pods_of_two_machines_reach_each_other_by_tunnels(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    with taken(host_lab, tmp_path, fresh_hosts(2)) as site:
        site.lay("vxlan")
        assert_connected(site, "vxlan", {name: add_pod(site, name) for name in site.markers})
