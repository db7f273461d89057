"""Machines that a cloud makes: their names, who logs in to them, and what they need before they become nodes."""

from __future__ import annotations

from providers.contracts import ClusterSpec, Context, Node, Role
from providers.kubeadm.runtime import PACKAGES
from providers.nodes import fan_out, wait_until_reachable
from providers.reach import Reach, connected

USER = "e2e"
KEY_FILE = "ssh_key"  # made for the run, in its private folder
BOOT_S = 600.0
# a machine that boots is silent first, then refuses, and knows its user and key last
PASSING = frozenset({"no-answer", "silent", "dropped", "closed", "denied", "no-ssh", "broken", "lost"})
_FURNISH = f"""command -v containerd conntrack socat ethtool iptables >/dev/null && exit
export DEBIAN_FRONTEND=noninteractive
cloud-init status --wait >/dev/null 2>&1 || true
apt-get -o DPkg::Lock::Timeout=300 update --quiet
apt-get -o DPkg::Lock::Timeout=300 install --yes --quiet --no-install-recommends {" ".join(PACKAGES)}
"""


def nodes_of(spec: ClusterSpec) -> tuple[tuple[str, Role], ...]:
    """Return the names and roles of the machines of a cluster, control planes first."""
    planes: list[tuple[str, Role]] = [(f"cp{number + 1}", "control-plane") for number in range(spec.control_planes)]
    workers: list[tuple[str, Role]] = [(f"w{number + 1}", "worker") for number in range(spec.nodes)]
    return (*planes, *workers)


def furnish(reach: Reach, ctx: Context) -> None:
    """Return once every machine runs commands and has its packages.

    Raises: NodeUnreachable naming a machine that never let us in; CommandError; ManyErrors.
    """
    deadline = ctx.deadline.at_most(BOOT_S, "booting machines")

    def one(node: Node) -> None:
        wait_until_reachable(node, passing=PASSING, deadline=deadline)
        node.run(("sh", "-ec", _FURNISH), deadline=ctx.deadline)

    with connected(reach, run=ctx.run, folder=ctx.folder) as nodes:
        fan_out(nodes, one, what="booting machines", deadline=ctx.deadline)
