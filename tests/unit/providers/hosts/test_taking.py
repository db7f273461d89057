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
from upload.errors import NodeUnreachable

NOW_S = 1_795_000_000
OWNER = Owner("ci-kubernetes-e2e-lab-20260102000000", "me@here", NOW_S, NOW_S + 3600)
EARLIER = Owner("ci-kubernetes-e2e-lab-20260101000000", "me@here", NOW_S - 7200, NOW_S - 1)
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
    ]

    with pytest.raises(UnfitMachines) as caught:
        take(nodes, OWNER, deadline=within(), wanted=Wanted())

    assert str(caught.value).splitlines() == [
        "3 machines cannot be used",
        "  w1: swap is on: /swap.img",
        r"      swapoff -a && sed -i '/\sswap\s/s/^/#/' /etc/fstab",
        "  w2: somebody's cluster is or was on it (/etc/cni/net.d/10-calico.conflist), and it does not carry our mark: it is left alone",
        "      use another machine, or clean it yourself, such as by: kubeadm reset",
        "  w2: its clock is 61 s behind ours: certificates would not be valid",
        "      timedatectl set-ntp true   (and look at: timedatectl timesync-status)",
        "  w3: port 22 of w3 is closed",
        "      nc -vz -w 5 w3 22",
    ]
    assert {argv for node in nodes for argv, _ in node.ran} == {("true",), ("sh", "-s")}


def test_what_an_expired_run_of_the_job_holds_is_told_apart() -> None:
    nodes = [machine("w1", owner=EARLIER.to_json()), machine("w2", owner=OWNER.to_json()), machine("w3")]

    found = inspect(nodes, OWNER.run, deadline=within(), now_s=NOW_S, wanted=Wanted())

    assert found == {"w1": EARLIER, "w2": None, "w3": None}
