"""Taking real machines, changing what only a booted one has, and giving them back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from providers.contracts import Deadline, Node
from providers.hosts.marker import Marker
from providers.hosts.owner import Owner
from providers.hosts.preflight import Wanted
from providers.hosts.taking import give_back, take
from providers.kubeadm.pod_script import PORT
from providers.nodes import fan_out, wait_until_reachable
from providers.ssh.access import Access, Endpoint, KeyFile, Patience
from providers.ssh.failures import PASSING
from providers.ssh.session import Ssh
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.values import LabHost
from upload.errors import NodeUnreachable

pytestmark = pytest.mark.hosts

NOW_S = 1_795_000_000
OWNER = Owner("ci-kubernetes-e2e-lab-20260102000000", "me@here", NOW_S, NOW_S + 3600)
UNIT = b"[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"

STARTED = ("systemctl", "show", "--property=ExecMainStartTimestampMonotonic", "containerd")

# a container of containerd as kubelet would have it: of a folder, since there is no image to pull
POD = """
mkdir -p /srv/pod && cd /srv/pod && cp --parents -L /bin/sleep $(ldd /bin/sleep | grep -o '/[^ ]*') .
ctr -n k8s.io run --detach --rootfs /srv/pod p1 /bin/sleep 604
ip netns add cni-0001
iptables -t nat -N KUBE-SERVICES && iptables -t nat -A PREROUTING -j KUBE-SERVICES
nft add table ip kube-proxy
"""
# what may be there or not, as it is after a boot
STATE = """
cut -d ' ' -f 2 /proc/mounts | sort
ls -A /etc /etc/systemd/system /etc/cni /var/lib /srv /run/netns 2>&1
ps -eo comm= | grep -e containerd-shim -e sleep
ctr -n k8s.io containers ls -q; ctr -n k8s.io images ls -q; ctr -n k8s.io snapshots ls
iptables-save | grep -e ^-A -e '^:.* - '; nft list tables | grep -v -e ' filter$' -e ' nat$'
ip -o link | sed 's/@.*//; s/ mtu .*//' | cut -d ' ' -f 2; systemctl is-active containerd e2e-test e2e-mine; systemctl is-enabled containerd e2e-mine
true
"""


@contextmanager
def reached(folder: Path, *hosts: LabHost) -> Iterator[list[Node]]:
    first = hosts[0]
    patience = Patience(connect_s=5.0, keepalive_s=1.0, misses=2)
    access = Access(first.user, KeyFile(first.key_file))
    with Ssh(access, pins=folder / "pins", run=OWNER.run, patience=patience) as ssh:
        nodes: list[Node] = []
        nodes.extend(ssh.node(h.name, "worker", Endpoint(h.address, host_key=h.host_key)) for h in hosts)
        yield nodes


def within(seconds: float = 60.0) -> Deadline:
    return Deadline.after(seconds, "the test")


def taken(nodes: list[Node]) -> dict[str, Marker]:
    return dict(take(nodes, OWNER, deadline=within(), wanted=Wanted(vxlan=PORT)))


def state(node: Node) -> str:
    return node.run(("sh", "-c", STATE), deadline=within()).stdout


@pytest.mark.parametrize("user", ["root", "admin"])
def test_a_booted_machine_is_fit_and_given_back_as_it_was(user: str, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    """Without one rule switched off: as root, and as a user who becomes root by sudo."""
    with reached(tmp_path, *fresh_hosts(2, user=user)) as nodes:
        for node in nodes:
            node.put(UNIT, "/etc/systemd/system/e2e-mine.service", deadline=within())
            node.run(("systemctl", "start", "e2e-mine"), deadline=within())
        before = fan_out(nodes, state, what="looking", deadline=within())
        for node, marker in zip(nodes, taken(nodes).values(), strict=True):
            started = node.run(STARTED, deadline=within()).stdout
            marker.restart_at_the_end("containerd")
            marker.write_file("/etc/systemd/system/e2e-test.service", UNIT)
            node.run(("systemctl", "daemon-reload"), deadline=within())
            marker.enable_unit("e2e-test")
            marker.enable_unit("containerd")
            marker.enable_unit("e2e-mine")  # it ran without being enabled
            marker.load_module("br_netfilter")
            marker.own_link("e2e-vx")
            vxlan = ("type", "vxlan", "id", "7", "dstport", "4789", "local", node.addresses[0])
            node.run(("ip", "link", "add", "e2e-vx", *vxlan), deadline=within())
            assert node.run(("systemctl", "is-active", "e2e-test"), deadline=within()).stdout == "active\n"
            units = [(change.subject, change.former) for change in marker.changes() if change.kind == "unit"]
            assert units == [("e2e-test", ""), ("e2e-mine", "active ")], "containerd was enabled and ran"
            assert node.run(STARTED, deadline=within()).stdout == started, "it ran already"
        give_back(nodes, OWNER.run, deadline=within())

        assert fan_out(nodes, state, what="looking", deadline=within()) == before
        assert nodes[-1].run(STARTED, deadline=within()).stdout != started


def test_pods_go_with_their_networks_and_rules(fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    with reached(tmp_path, *fresh_hosts(1)) as nodes:
        (node,) = nodes
        before = state(node)
        marker = taken(nodes)[node.name]
        marker.own_tree("/srv/pod")
        marker.own_pods()
        node.run(("sh", "-euc", POD), deadline=within())
        assert "containerd-shim" in state(node)

        marker.give_back()

        assert state(node) == before


def test_a_machine_that_reboots_is_lost_comes_back_and_still_knows(fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    with reached(tmp_path, *fresh_hosts(1)) as nodes:
        (node,) = nodes
        before = state(node)
        marker = taken(nodes)[node.name]
        marker.own_tree("/etc/kubernetes")
        marker.own_link("e2e-br")
        node.run(("sh", "-c", "mkdir /etc/kubernetes; ip link add e2e-br type bridge"), deadline=within())

        with pytest.raises(NodeUnreachable) as caught:
            node.run(("sh", "-c", "systemctl reboot; sleep 60"), deadline=within())
        wait_until_reachable(node, passing=PASSING, deadline=within())

        assert caught.value.reason == "lost"
        assert [change.subject for change in marker.changes()] == ["/etc/kubernetes", "e2e-br"]
        marker.give_back()
        assert state(node) == before
