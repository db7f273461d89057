"""Pods of different machines reach each other, without Kubernetes: the plugins are called as containerd calls them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import Deadline, Node
from providers.hosts.marker import Marker
from providers.hosts.owner import Owner
from providers.hosts.preflight import Wanted
from providers.hosts.taking import give_back, take
from providers.kubeadm.network import CONFLIST, lay, plugin_folder
from providers.kubeadm.pod_script import PORT
from providers.nodes import fan_out, wait_until_reachable
from providers.ssh.access import Access, Endpoint, KeyFile, Patience
from providers.ssh.failures import PASSING
from providers.ssh.session import Ssh
from tests.hosts.clusters import differences
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.labs import Lab
from tests.support.lab.values import LabHost
from upload.errors import CommandError, StepError

pytestmark = [pytest.mark.hosts, pytest.mark.slow]

NOW_S = 1_795_000_000
OWNER = Owner("ci-kubernetes-e2e-lab-20260102000000", "me@here", NOW_S, NOW_S + 3600)
POD = "cni-e2e"  # a network's name, of containerd's form
IN_POD = f"ip netns exec {POD}"
POD_PORT, NODE_PORT, HOST_PORT = 8080, 8081, 30080

# what laying the network may touch
STATE = """
ip -o link | sed 's/@.*//; s/ state .*//' | cut -d ' ' -f 2-; ip -o address | grep -v ' fe80:' | sed 's/valid_lft.*//' | cut -d ' ' -f 2-
ip route; ip -6 route | grep -v ^fe80
bridge fdb show; ip neighbour show nud permanent
iptables-save | grep -e ^-A -e '^:.* - '; ip6tables-save | grep -e ^-A -e '^:.* - '
find /etc /usr/local /opt /run/netns
cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/bridge/bridge-nf-call-ip*tables
systemctl is-enabled federated-e2e-pods 2>&1; systemctl --failed --no-legend
true
"""


@dataclass(frozen=True)
class Family:
    """The addresses of a test. ``headers``: bytes of a ping besides what it carries."""

    number: int
    whole: str
    cidrs: Mapping[str, str]
    headers: int

    def mtu(self, network: str) -> int:
        return {"routes": 1500, "vxlan": 1450 if self.number == 4 else 1430}[network]


FOUR = Family(4, "10.244.0.0/16", {f"h{n}": f"10.244.{n}.0/24" for n in (1, 2, 3)}, 28)
SIX = Family(6, "fd00:10::/48", {f"h{n}": f"fd00:10:0:{n}::/64" for n in (1, 2, 3)}, 48)


@dataclass(frozen=True)
class Site:
    """Machines that were taken, by name."""

    markers: Mapping[str, Marker]
    family: Family
    network: str

    def lay(self, *names: str) -> None:
        markers = {name: self.markers[name] for name in names}
        lay(markers, self.family.cidrs, network=self.network, pod_cidr=self.family.whole, deadline=within())

    def sh(self, name: str, text: str) -> str:
        return self.markers[name].node.run(("sh", "-euc", text), deadline=within()).stdout

    def address(self, name: str) -> str:
        return self.markers[name].node.addresses[0]

    def caller(self, name: str, to: str, port: int, inside: str = "") -> str:
        """Return the address as which a server is called from a machine, or from its pod."""
        target = f"[{to}]" if ":" in to else to
        said = self.sh(name, f"{inside} socat -T5 - TCP:{target}:{port} < /dev/null").strip()
        return str(ip_address(said.strip("[]")))


def within(seconds: float = 90.0) -> Deadline:
    return Deadline.after(seconds, "the test")


@contextmanager
def reached(folder: Path, hosts: Sequence[LabHost], family: Family) -> Iterator[list[Node]]:
    patience = Patience(connect_s=5.0, keepalive_s=1.0, misses=2)
    access = Access(hosts[0].user, KeyFile(hosts[0].key_file))
    with Ssh(access, pins=folder / "pins", run=OWNER.run, patience=patience) as ssh:
        nodes: list[Node] = []
        for number, host in enumerate(hosts, 1):
            own = (f"fd00:66::{number}",) if family.number == 6 else ()
            nodes.append(ssh.node(host.name, "worker", Endpoint(host.address, host_key=host.host_key), own))
            if own:
                argv = ("ip", "address", "add", f"{own[0]}/64", "dev", "host0", "nodad")
                nodes[-1].run(argv, deadline=within())
            # what starts late makes folders of its own
            nodes[-1].run(("sh", "-c", "systemctl is-system-running --wait || true"), deadline=within())
        yield nodes


@contextmanager
def taken(folder: Path, hosts: Sequence[LabHost], network: str, family: Family = FOUR) -> Iterator[Site]:
    """Give machines that are given back in the end, and look whether they are as they were."""
    with reached(folder, hosts, family) as nodes:
        before = fan_out(nodes, state, what="looking", deadline=within())
        markers = take(nodes, OWNER, deadline=within(), wanted=Wanted(vxlan=PORT))
        for marker in markers.values():  # as the installation of Kubernetes does
            marker.own_tree("/etc/cni/net.d")
            marker.own_tree("/run/cni-ipam-state")
            marker.own_pods()
        site = Site(markers, family, network)
        yield site
        for name in markers:
            site.sh(name, "systemctl stop pod node 2>/dev/null || true")
        give_back(nodes, OWNER.run, deadline=within())
        left = differences(before, fan_out(nodes, state, what="looking", deadline=within()))
        assert left == [], "\n".join(left)


def state(node: Node) -> list[str]:
    return node.run(("sh", "-c", STATE), deadline=within()).stdout.splitlines()


def add_pod(site: Site, name: str) -> str:
    """Make what a pod has of the network and return its address; in it and on its node a server tells who calls."""
    listen = f"TCP{site.family.number}-LISTEN"
    script = (
        f"ip netns add {POD}; ip -n {POD} link set lo up",
        f"systemd-run -q -G -u pod {IN_POD} socat {listen}:{POD_PORT},fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'",
        f"systemd-run -q -G -u node socat {listen}:{NODE_PORT},fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'",
    )
    site.sh(name, "\n".join(script))
    result: dict[str, Any] = {}
    for plugin in json.loads(site.sh(name, f"cat {CONFLIST}"))["plugins"]:
        result = call_plugin(site.markers[name], plugin, result)
    return str(result["ips"][0]["address"].partition("/")[0])


def call_plugin(marker: Marker, plugin: dict[str, Any], former: dict[str, Any]) -> dict[str, Any]:
    """Do what containerd does for each plugin of a list. Source: the CNI specification, section 3."""
    folder = plugin_folder(marker)
    mapping = {"hostPort": HOST_PORT, "containerPort": POD_PORT, "protocol": "tcp"}
    told = {**plugin, "cniVersion": "1.0.0", "name": "federated-e2e", "runtimeConfig": {"portMappings": [mapping]}}
    if former:
        told["prevResult"] = former
    words = ("CNI_CONTAINERID=e2e", f"CNI_NETNS=/run/netns/{POD}", "CNI_IFNAME=eth0", f"CNI_PATH={folder}")
    argv = ("env", "CNI_COMMAND=ADD", *words, f"{folder}/{plugin['type']}")
    return dict(json.loads(marker.node.run(argv, deadline=within(), stdin=json.dumps(told).encode()).stdout))


def assert_connected(site: Site, pods: Mapping[str, str]) -> None:
    """Ask for everything that a pod, or its node, may want of the network."""
    largest = site.family.mtu(site.network) - site.family.headers
    for name, own in pods.items():
        assert site.caller(name, own, POD_PORT, IN_POD) == own
        for other, far in pods.items():
            if other == name:
                continue
            assert site.caller(name, far, POD_PORT, IN_POD) == own, "pods see each other's addresses"
            site.sh(name, f"{IN_POD} ping -q -c 1 -W 5 -M do -s {largest} {far}")
            with pytest.raises(CommandError):
                site.sh(name, f"{IN_POD} ping -q -c 1 -W 1 -M do -s {largest + 1} {far}")
            site.sh(name, f"ping -q -c 1 -W 5 {far}")  # a node reaches pods everywhere
            outside = site.address(other)
            assert site.caller(name, outside, NODE_PORT, IN_POD) == site.address(name), "outside a pod is its node"
            assert site.caller(name, outside, HOST_PORT) == site.address(name), "a port of a node is its pod's"


def test_tunnels_connect_the_pods_of_two_machines(fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    with taken(tmp_path, fresh_hosts(2), "vxlan") as site:
        site.lay("h1", "h2")
        assert_connected(site, {name: add_pod(site, name) for name in site.markers})


@pytest.mark.full
@pytest.mark.parametrize("network", ["vxlan", "routes"])
def test_pods_stay_connected_through_a_reboot_and_with_one_more_machine(
    network: str, host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    """Where packets are dropped that nobody lets through, as on machines with Docker."""
    with taken(tmp_path, fresh_hosts(3), network) as site:
        for name in site.markers:
            site.sh(name, "iptables -P FORWARD DROP")
        site.lay("h1", "h2")
        pods = {name: add_pod(site, name) for name in ("h1", "h2")}
        assert_connected(site, pods)

        laid = {name: (state(site.markers[name].node), site.markers[name].changes()) for name in pods}
        site.lay("h1", "h2")
        assert {name: (state(site.markers[name].node), site.markers[name].changes()) for name in pods} == laid

        host_lab.stop("h2")
        host_lab.start("h2")
        wait_until_reachable(site.markers["h2"].node, passing=PASSING, deadline=within())
        site.sh("h2", "systemctl is-system-running --wait || true; sysctl -q net.ipv4.ip_forward=1")
        pods["h2"] = add_pod(site, "h2")
        assert_connected(site, pods)

        site.lay("h1", "h2", "h3")
        pods["h3"] = add_pod(site, "h3")
        assert_connected(site, pods)

        site.lay("h1", "h2")
        assert site.family.cidrs["h3"] not in site.sh("h1", "ip route"), "a machine that is no more"


@pytest.mark.full
@pytest.mark.parametrize("network", ["vxlan", "routes"])
def test_pods_of_ipv6_are_connected(network: str, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    with taken(tmp_path, fresh_hosts(2), network, SIX) as site:
        site.lay("h1", "h2")
        assert_connected(site, {name: add_pod(site, name) for name in site.markers})


@pytest.mark.full
def test_what_is_somebodys_is_refused(fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    """Before anything of it is changed; the rest is taken back as ever."""
    hosts = fresh_hosts(2)
    with reached(tmp_path, hosts, FOUR) as nodes:
        nodes[0].run(("ip", "link", "add", "e2e-pods", "type", "bridge"), deadline=within())
    with taken(tmp_path, hosts, "vxlan") as site:
        with pytest.raises(StepError, match="link e2e-pods on h1: the link e2e-pods is there already and is not ours"):
            site.lay("h1", "h2")
        site.sh("h1", "mv /opt/cni/bin /opt/cni/x; mv /usr/lib/cni /usr/lib/x")
        with pytest.raises(StepError, match="Pod network on h1: the network plugins ptp, host-local, portmap are not"):
            site.lay("h1", "h2")
        site.sh("h1", "mv /opt/cni/x /opt/cni/bin; mv /usr/lib/x /usr/lib/cni")
