"""What every action works on: the plan, the machines that were taken for the run, and what is known of them so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from providers.api import Api
from providers.contracts import Binaries, Context, Node
from providers.hosts.marker import Marker
from providers.kubeadm.plan import KUBECONFIG, Bootstrap, ClusterPlan, Member
from providers.nodes import fan_out

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Supplies:
    """Where things come from. ``archives``: of images, for machines without internet; ``fetched``: as in the settings."""

    binaries: Binaries
    kubelet: Binaries
    archives: tuple[Path, ...] = ()
    fetched: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """The machines of one cluster, control planes first, and what the actions need. ``server``: the API's address for us.

    ``widen``: has control planes stand behind the address that the maker gave, if it gives one.
    """

    plan: ClusterPlan
    ctx: Context
    markers: Mapping[str, Marker]
    supplies: Supplies
    server: str
    bootstrap: Bootstrap = field(repr=False)
    widen: Callable[[Sequence[str]], str] | None = None

    @property
    def control_planes(self) -> tuple[Marker, ...]:
        """The machines that run the control plane."""
        return tuple(marker for marker in self.markers.values() if marker.node.role == "control-plane")

    @property
    def workers(self) -> tuple[Marker, ...]:
        """The others."""
        return tuple(marker for marker in self.markers.values() if marker.node.role == "worker")

    @property
    def first(self) -> Marker:
        """The control plane that is there before all others."""
        return self.control_planes[0]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig on this machine."""
        return self.ctx.folder / KUBECONFIG

    def api(self) -> AbstractContextManager[Api]:
        """Return the cluster's API, once there is a kubeconfig."""
        return Api(self.kubeconfig)

    def each(self, action: Callable[[Marker], T], what: str, markers: Sequence[Marker] | None = None) -> dict[str, T]:
        """Do the same on all machines, or on some, beside each other; return node name → result. Raises as ``fan_out``."""
        chosen = tuple(self.markers.values()) if markers is None else markers
        nodes = [marker.node for marker in chosen]
        return fan_out(nodes, lambda node: action(self.markers[node.name]), what=what, deadline=self.ctx.deadline)

    def run(self, marker: Marker, what: str, *argv: str, stdin: bytes | Path = b"") -> str:
        """Return what a command prints on a machine. Raises: StepError named ``what``, with the end of its output."""
        return marker.command(what, *argv, stdin=stdin)


def member(node: Node) -> Member:
    """Return a machine as a node of the cluster."""
    return Member(node.name, node.addresses[0])
