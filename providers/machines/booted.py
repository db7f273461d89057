"""Machines that were just made: waits until they let us in, and installs what a node needs and an image lacks."""

from __future__ import annotations

from providers.contracts import Context, Node
from providers.kubeadm.runtime import PACKAGES
from providers.nodes import fan_out, wait_until_reachable
from providers.reach import Reach, connected

BOOT_S = 600.0
# a machine that boots is silent first, then refuses, and knows its user and key last
PASSING = frozenset({"no-answer", "silent", "dropped", "closed", "denied", "no-ssh", "broken", "lost"})
_FURNISH = f"""command -v containerd conntrack socat ethtool iptables >/dev/null && exit
export DEBIAN_FRONTEND=noninteractive
cloud-init status --wait >/dev/null 2>&1 || true
apt-get -o DPkg::Lock::Timeout=300 update --quiet
apt-get -o DPkg::Lock::Timeout=300 install --yes --quiet --no-install-recommends {" ".join(PACKAGES)}
"""


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
