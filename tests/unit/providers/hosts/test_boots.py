"""What is said of machines that were booted anew or are gone; that a boot is told apart: tests/hosts/test_reboot.py."""

from __future__ import annotations

from providers.contracts import Deadline
from providers.hosts.boots import lost
from providers.testing import FakeNode
from upload.errors import DeadlineExceeded, NodeUnreachable


def test_every_machine_that_something_befell_is_named_with_it() -> None:
    gone = NodeUnreachable("w3", "closed", "port 22 of w3 is closed")
    nodes = [
        FakeNode("w1"),
        FakeNode("w2", answers={"sh -c": "other\n"}),
        FakeNode("w3", answers={"sh -c": gone}),
        FakeNode("w4", answers={"sh -c": DeadlineExceeded("looking", 30)}),
    ]

    found = lost(nodes, deadline=Deadline.after(10, "the test"))

    assert found == {"w2": "it was booted anew", "w3": "port 22 of w3 is closed", "w4": "it does not answer"}
