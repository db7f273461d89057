"""What connects the pods of one node with those of the others, as a script: it runs now, and at each boot by a unit.

``vxlan``: a tunnel of our own to every other node, whose entries are static: nothing is learned, no daemon, no multicast.
Each end has an address, that of its node's pod network itself, so that what a node sends to pods elsewhere comes back by
the same way (as flannel does it). ``routes``: to each other node's pods by its address; the nodes share a network then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

LINK = "e2e-pods"
CHAIN = "E2E-PODS"
TABLES = ("nat", "filter")  # those that have the chain
# clear of what others use: flannel and Cilium have UDP 8472, Calico, Docker and Open vSwitch the registered 4789
PORT = 14789
VNI = 3630
PROTOCOL = 226  # of routes that are ours; nobody has it in rt_protos
SCRIPT = "/usr/local/lib/federated-e2e/pod-network"
UNIT = "federated-e2e-pods"
UNIT_FILE = f"/etc/systemd/system/{UNIT}.service"
# at a boot an address or the way to another node may come late; RestartSec keeps it below the limit of starts
UNIT_TEXT = f"""[Unit]
Description=Network of the pods, laid by federated-e2e
Wants=network-online.target
After=network-online.target
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={SCRIPT}
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class End:
    """One node: the address at which the others reach it, and the network of its pods."""

    address: IPv4Address | IPv6Address
    cidr: IPv4Network | IPv6Network

    @property
    def hardware(self) -> str:
        """The hardware address of its end of the tunnels: a local one that every node can work out."""
        return ":".join(f"{octet:02x}" for octet in (2, *hashlib.sha256(self.address.packed).digest()[:5]))

    @property
    def tunnel(self) -> IPv4Address | IPv6Address:
        """The address of its end of the tunnels, which no pod gets."""
        return self.cidr.network_address


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """What is the same on every node. ``network``: vxlan or routes; ``cidr``: of all pods; ``mtu``: of theirs."""

    network: str
    cidr: IPv4Network | IPv6Network
    mtu: int

    @property
    def sysctls(self) -> tuple[str, ...]:
        """The settings, with dots, that must be 1 where they are there; all of them of the node's network alone."""
        if self.cidr.version == 6:
            return ("net.ipv6.conf.all.forwarding", "net.bridge.bridge-nf-call-ip6tables")
        return ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")


def script(pods: PodNetwork, own: End, others: Sequence[End]) -> str:
    """Return the script of a node. Run again it changes only what differs, and forgets nodes that are no more."""
    lines = _tunnels(pods, own, others) if pods.network == "vxlan" else _routes(others)
    return "\n".join([*_settings(pods), *lines, *_forget(pods, others), *_rules(pods), ""])


def _settings(pods: PodNetwork) -> Iterator[str]:
    yield "#!/bin/sh"
    yield "# Connects the pods of this node with those of others. By federated-e2e, which takes it back when its run ends."
    yield "set -eu"
    for name in pods.sysctls:
        path = f"/proc/sys/{name.replace('.', '/')}"
        yield f"[ ! -e {path} ] || echo 1 > {path}"


def _tunnels(pods: PodNetwork, own: End, others: Sequence[End]) -> Iterator[str]:
    """Yield what makes the tunnels. The link's alias tells for whom it was made, and comes last: half a link is made anew."""
    kind = f"type vxlan id {VNI} dstport {PORT} local {own.address} nolearning"
    yield f"for='{own.address} {own.tunnel}'"
    yield f'if [ "$(cat /sys/class/net/{LINK}/ifalias 2>/dev/null)" != "$for" ]; then'
    yield f"    ip link delete {LINK} 2>/dev/null || true"
    yield f"    ip link add {LINK} address {own.hardware} {kind}"
    yield f'    ip link set {LINK} alias "$for"'
    yield "fi"
    yield from _batch("ip", _ends(pods, own, others))
    yield from _batch("bridge", (f"fdb replace {o.hardware} dev {LINK} dst {o.address} self permanent" for o in others))


def _ends(pods: PodNetwork, own: End, others: Sequence[End]) -> Iterator[str]:
    yield f"link set {LINK} mtu {pods.mtu} up"
    # nodad: else an address of IPv6 cannot be used in its first second
    yield f"address replace {own.tunnel}/{own.cidr.max_prefixlen} dev {LINK}{' nodad' * (own.cidr.version == 6)}"
    for other in others:
        yield f"neighbour replace {other.tunnel} lladdr {other.hardware} dev {LINK} nud permanent"
        yield f"route replace {other.cidr} via {other.tunnel} dev {LINK} onlink proto {PROTOCOL}"


def _routes(others: Sequence[End]) -> Iterator[str]:
    yield from _batch("ip", (f"route replace {o.cidr} via {o.address} proto {PROTOCOL}" for o in others))


def _forget(pods: PodNetwork, others: Sequence[End]) -> Iterator[str]:
    ip = f"ip -{pods.cidr.version}"
    yield f"{ip} route show proto {PROTOCOL} | while read -r cidr _; do"
    yield f"    case ' {' '.join(str(other.cidr) for other in others)} ' in"
    yield '        *" $cidr "*) ;;'
    yield f'        *) {ip} route delete "$cidr" proto {PROTOCOL} ;;'
    yield "    esac"
    yield "done"


def _rules(pods: PodNetwork) -> Iterator[str]:
    """Yield what fills our chains at once, and has them reached last.

    What leaves the network of the pods has the node's address. Pods are let through where others drop what they do not
    know, as Docker does; last, since kube-proxy refuses there what has no endpoints.
    """
    iptables = "ip6tables" if pods.cidr.version == 6 else "iptables"
    rules = {
        "nat": (f"-s {pods.cidr} ! -d {pods.cidr} -j MASQUERADE",),
        "filter": (f"-s {pods.cidr} -j ACCEPT", f"-d {pods.cidr} -j ACCEPT"),
    }
    yield f"{iptables}-restore -w --noflush <<'END'"
    for table in TABLES:
        yield from (f"*{table}", f":{CHAIN} - [0:0]", *(f"-A {CHAIN} {rule}" for rule in rules[table]), "COMMIT")
    yield "END"
    for table, parent in zip(TABLES, ("POSTROUTING", "FORWARD"), strict=True):
        jump = f"{parent} -j {CHAIN}"
        yield f"{iptables} -w -t {table} -C {jump} 2>/dev/null || {iptables} -w -t {table} -A {jump}"


def _batch(program: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"{program} -batch - <<'END'"
    yield from lines
    yield "END"
