"""Looking at machines as ``Node.run`` shows them; what is really changed on one: tests/integration/providers/test_hosts.py."""

from __future__ import annotations

import time

import pytest

from providers.contracts import Deadline
from providers.hosts.owner import Owner
from providers.hosts.preflight import UnfitMachines, Wanted
from providers.hosts.taking import inspect, take
from providers.testing import FakeNode
from tests.unit.providers.hosts.recording import printed
from upload.errors import CommandError, DeadlineExceeded, NodeUnreachable

NOW_S = 1_795_000_000
OWNER = Owner("ci-kubernetes-e2e-lab-20260102000000", "me@here", NOW_S, NOW_S + 3600)
EARLIER = Owner("ci-kubernetes-e2e-lab-20260101000000", "me@here", NOW_S - 7200, NOW_S - 1)
CLEAN = "kubeadm reset --force; rm -rf /etc/kubernetes /etc/cni/net.d /var/lib/kubelet /var/lib/etcd && reboot"
SWAP = "Filename Type Size Used Priority\n/swap.img file 1 0 -2"


def within() -> Deadline:
    return Deadline.after(10, "the test")


def machine(name: str, *, clock_s: float = 0.0, **sections: str) -> FakeNode:
    """Return a machine that shows the recorded facts, its clock ``clock_s`` ahead of ours."""

    def look(_argv: object, _stdin: bytes) -> str:
        shown = {"clock": f"{time.time() + clock_s}", "hostname": name, "machine_id": name, **sections}
        return printed(**shown)

    return FakeNode(name, answers={"sh -s": look})


def test_every_problem_of_every_machine_is_told_and_none_is_changed() -> None:
    gone = NodeUnreachable("w3", "closed", "port 22 of w3 is closed", hint="nc -vz -w 5 w3 22")
    nodes = [
        machine("w1", swaps=SWAP),
        machine("w2", clock_s=-61.0, cni="/etc/cni/net.d/10-calico.conflist"),
        FakeNode("w3", answers={"true": gone}),
        machine("w4"),
        FakeNode("w5", answers={"true": DeadlineExceeded("looking at the machines", 60)}),
        FakeNode("w6", answers={"true": CommandError(("true",), 1, "This account is not available.", node="w6")}),
    ]

    with pytest.raises(UnfitMachines) as caught:
        take(nodes, OWNER, deadline=within(), wanted=Wanted())

    assert str(caught.value).splitlines() == [
        "5 machines cannot be used",
        "  w1: swap is on: /swap.img",
        r"      swapoff -a && sed -i '/\sswap\s/s/^/#/' /etc/fstab",
        "  w2: somebody's cluster is or was on it (/etc/cni/net.d/10-calico.conflist), and it does not carry our mark: it is left alone",
        f"      use another machine, or if nobody needs that cluster: {CLEAN}",
        "  w2: its clock is 61 s behind ours: certificates would not be valid",
        "      timedatectl set-ntp true   (and look at: timedatectl timesync-status)",
        "  w3: port 22 of w3 is closed",
        "      nc -vz -w 5 w3 22",
        "  w5: looking at the machines was not done after 60 s",
        "      log in and look: a shell that hangs or prints something at its start is in the way",
        "  w6: true on w6 ended with code 1: This account is not available.",
        "      log in and look: a shell that hangs or prints something at its start is in the way",
    ]
    assert {argv for node in nodes for argv, _ in node.ran} == {("true",), ("sh", "-s")}


def test_what_an_expired_run_of_the_job_holds_is_told_apart() -> None:
    nodes = [machine("w1", owner=EARLIER.to_json()), machine("w2", owner=OWNER.to_json()), machine("w3")]

    found = inspect(nodes, OWNER.run, deadline=within(), now_s=NOW_S, wanted=Wanted())

    assert found == {"w1": EARLIER, "w2": None, "w3": None}
