"""What a case with ``requires("node-ssh")`` may do to a node, and how it is put back, even when the case is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from providers.contracts import Deadline, Node
from providers.hosts.boots import boot_of, note_boot
from providers.nodes import wait_until_reachable
from providers.reach import connected, read_reach
from providers.ssh.failures import PASSING
from upload.errors import CommandError, NodeUnreachable

COMMAND_S = 60.0
REBOOT_S = 180.0
LONGEST_S = 300
LOOK_S = 1.0
GOING_DOWN = frozenset({"denied"})  # systemd lets nobody in but root then
FILL = "/var/lib/kubelet/.e2e-fill"
_CUT = "E2E-CUT"
# the undoing is armed on the machine before anything is done: it comes when we are dead, too
_ARM = """set -eu
systemctl stop "$1.timer" "$1.service" 2>/dev/null || true
systemctl reset-failed "$1.timer" "$1.service" 2>/dev/null || true
systemd-run --quiet --unit "$1" --on-active="$2" --timer-property=AccuracySec=1s sh -c "$3"
"""
_DISARM = 'sh -c "$2"; systemctl stop "$1.timer"'  # in this order: we may be cut between the two
_CUT_OFF = f"""set -eu
for family in iptables ip6tables; do
    $family -w -N {_CUT}
    if [ $family = ip6tables ]; then # how neighbours find each other: without these our connection ends, too
        for kind in 135 136; do $family -w -A {_CUT} -p icmpv6 --icmpv6-type $kind -j RETURN; done
    fi
    $family -w -A {_CUT} -i lo -j RETURN
    $family -w -A {_CUT} -o lo -j RETURN
    $family -w -A {_CUT} -p tcp --dport "$1" -j RETURN
    $family -w -A {_CUT} -p tcp --sport "$1" -j RETURN
    $family -w -A {_CUT} -j DROP
    for chain in INPUT OUTPUT FORWARD; do $family -w -I $chain -j {_CUT}; done
done
"""
_RECONNECT = (
    "for f in iptables ip6tables; do "
    f"for c in INPUT OUTPUT FORWARD; do while $f -w -D $c -j {_CUT} 2>/dev/null; do :; done; done; "
    f"$f -w -F {_CUT} 2>/dev/null; $f -w -X {_CUT} 2>/dev/null; done; true"
)
_LEAVE_FREE = """set -eu
free=$(df --output=avail -B1 /var/lib/kubelet | tail -n 1)
[ "$free" -le "$2" ] || fallocate -l "$((free - $2))" "$1"
"""


@dataclass(frozen=True, slots=True)
class OnNode:
    """One machine of a node. Every method raises as ``Node.run`` does. ``ssh_port``: what stays open when it is cut off."""

    node: Node
    ssh_port: int = 22
    command_s: float = field(default=COMMAND_S)

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.node.name

    def run(self, *argv: str) -> str:
        """Return what a command prints, as root."""
        return self.node.run(argv, deadline=Deadline.after(self.command_s, f"{argv[0]} on {self.name}")).stdout

    def restart_kubelet(self) -> None:
        """Restart the kubelet; pods go on."""
        self.run("systemctl", "restart", "kubelet")

    def reboot(self) -> None:
        """Reboot the machine and return once it runs commands again. Its pods are started anew."""
        deadline = Deadline.after(REBOOT_S, f"rebooting {self.name}")
        before = boot_of(self.node, deadline=deadline)
        with suppress(NodeUnreachable, CommandError):  # as it shall be: the shell may end before the connection
            self.node.run(("systemctl", "reboot"), deadline=deadline)
        while self._boot(deadline) in (before, None):
            if deadline.remaining_s() <= LOOK_S:
                raise NodeUnreachable(self.name, "awake", "it did not reboot")
            time.sleep(LOOK_S)
        note_boot(self.node, deadline=deadline)  # it was meant: the provider did not lose the machine

    def _boot(self, deadline: Deadline) -> str | None:
        """Return the machine's boot, or None while it goes down."""
        wait_until_reachable(self.node, passing=PASSING | GOING_DOWN, deadline=deadline)
        try:
            return boot_of(self.node, deadline=deadline)
        except (NodeUnreachable, CommandError):
            return None

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Drop every packet from and to the machine and its pods but ours, within the block."""
        with self._undone("e2e-reconnect", _RECONNECT):
            self.run("sh", "-c", _CUT_OFF, "cut", str(self.ssh_port))
            yield

    @contextmanager
    def disk_filled(self, *, free_bytes: int) -> Iterator[None]:
        """Leave that much room on the disk of the kubelet, within the block."""
        with self._undone("e2e-unfill", f"rm -f {FILL}"):
            self.run("sh", "-c", _LEAVE_FREE, "fill", FILL, str(free_bytes))
            yield

    @contextmanager
    def _undone(self, unit: str, script: str) -> Iterator[None]:
        self.run("sh", "-c", _ARM, "arm", unit, f"{LONGEST_S}s", script)
        try:
            yield
        finally:
            self.run("sh", "-c", _DISARM, "disarm", unit, script)


class Machines:
    """The machines of a cluster, connected when the first one is used."""

    def __init__(self, file: Path, run: str, env: Mapping[str, str]) -> None:
        self._known = read_reach(file, env)
        self._folder = file.parent
        self._run = run
        self._open = ExitStack()
        self._nodes: dict[str, Node] = {}

    def __getitem__(self, name: str) -> OnNode:
        """Return the machine of a node. Raises KeyError for a node without one."""
        if not self._nodes:
            opened = self._open.enter_context(connected(self._known, run=self._run, folder=self._folder))
            self._nodes = {node.name: node for node in opened}
        ports = {machine.name: machine.endpoint.port for machine in self._known.machines}
        return OnNode(self._nodes[name], ports[name])

    def close(self) -> None:
        """Hang up."""
        self._open.close()
