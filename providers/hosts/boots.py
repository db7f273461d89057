"""Tells whether a machine was booted anew: its boot is noted on it, beside its mark, and compared later."""

from __future__ import annotations

from collections.abc import Sequence

from providers.contracts import Deadline, Node
from providers.hosts.owner import HOME
from providers.nodes import fan_out
from upload.errors import DeadlineExceeded, NodeUnreachable

BOOT_FILE = f"{HOME}/boot"  # goes with the mark
ANSWER_S = 30.0
# a machine's kernel has the one, a container that lives like a machine has the other
_BOOT = "cat /proc/sys/kernel/random/boot_id; cut -d ' ' -f 22 /proc/1/stat"
_NOTE = f"[ ! -d {HOME} ] || {{ ({_BOOT}) > {BOOT_FILE}.new && mv {BOOT_FILE}.new {BOOT_FILE}; }}"
_SAME = f"[ ! -e {BOOT_FILE} ] || ({_BOOT}) | cmp -s - {BOOT_FILE} || echo other"


def boot_of(node: Node, *, deadline: Deadline) -> str:
    """Return what is another text after each boot. Raises as ``Node.run`` does."""
    return node.run(("sh", "-c", _BOOT), deadline=deadline).stdout


def note_boot(node: Node, *, deadline: Deadline) -> None:
    """Take a machine's boot for the one that is meant to be, if the machine carries a mark. Raises as ``Node.run`` does."""
    node.run(("sh", "-c", _NOTE), deadline=deadline)


def lost(nodes: Sequence[Node], *, deadline: Deadline) -> dict[str, str]:
    """Return node name -> what befell it since its boot was noted, for those that something befell."""

    def look(node: Node) -> str:
        bounded = deadline.at_most(ANSWER_S, "looking after the machines")
        try:
            return "it was booted anew" if node.run(("sh", "-c", _SAME), deadline=bounded).stdout else ""
        except NodeUnreachable as error:
            return str(error).removeprefix(f"{node.name}: ")
        except DeadlineExceeded:
            return "it does not answer"

    found = fan_out(nodes, look, what="looking after the machines", deadline=deadline.at_most(2 * ANSWER_S, "looking"))
    return {name: what for name, what in found.items() if what}
