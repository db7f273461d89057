"""What a provider author implements, and what a provider is given. Source: DESIGN section 5.

A provider never uploads, never prints, never reads flags or the environment: all it may use comes in a ``Context``.
It is found through the entry-point group ``federated_e2e.providers``, whose entries are ``ProviderType``s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from upload.errors import DeadlineExceeded

if TYPE_CHECKING:  # pydantic costs 0.2 s, and every worker of the suite reads the facts of a Cluster from here
    from pydantic import BaseModel

    from providers.ssh.access import Access, Endpoint

Clock = Callable[[], float]

RUN_LABEL = "e2e-run"  # the label of everything a run creates inside a cluster


def run_label(run: str) -> str:
    """Return the value of ``RUN_LABEL`` for a run: its name, cut from the left to the 63 characters a label may have.

    The build id at the end is what tells runs apart.
    """
    return run[-63:].lstrip("-._")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on a monotonic clock that no wait may pass. ``total_s`` is what was given at the start."""

    what: str
    at: float
    total_s: float
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, what: str, clock: Clock = time.monotonic) -> Deadline:
        """Return the deadline ``seconds`` from now."""
        return cls(what=what, at=clock() + seconds, total_s=seconds, clock=clock)

    def at_most(self, seconds: float, what: str) -> Deadline:
        """Return the earlier of this one and ``seconds`` from now, which is then called ``what``."""
        return Deadline.after(seconds, what, self.clock) if seconds < self.remaining_s() else self

    def remaining_s(self) -> float:
        """Return the seconds left, never below 0."""
        return max(0.0, self.at - self.clock())

    def check(self) -> None:
        """Raise DeadlineExceeded when no time is left."""
        if self.remaining_s() <= 0:
            raise DeadlineExceeded(self.what, self.total_s)


@dataclass(frozen=True, slots=True)
class Download:
    """Where a machine may fetch an executable by itself. ``url`` may hold a password: keep it out of argv and logs."""

    url: str = field(repr=False)
    sha256: str


class Binaries(Protocol):
    """The programs of one resolved Kubernetes version, fetched or built on first use, verified and cached."""

    @property
    def version(self) -> str:
        """The resolved version, ``vX.Y.Z`` with whatever suffix the release carries."""

    def get(self, program: str, *, deadline: Deadline) -> Path:
        """Return the path of an executable. Raises ProviderError naming each source that was tried."""

    def ensure(self, programs: Iterable[str], *, deadline: Deadline) -> Mapping[str, Path]:
        """Return the paths of several executables by name; quicker than one by one. Raises as ``get`` does."""

    def other(self, kubernetes: str = "", *, platform: str = "", deadline: Deadline) -> Binaries:
        """Return the programs of another version, or for another platform such as ``linux/arm64``, of the same sources.

        ``kubernetes``: as in a config. Raises: UsageError for another form; ProviderError when it cannot be found out.
        """

    def published(self, program: str, *, deadline: Deadline) -> Download | None:
        """Return where an executable is published as it is, with its checksum; None where it is not."""


POD_NETWORKS = ("vxlan", "routes")


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """The cluster a config asks for, validated. ``nodes`` are workers (hollow ones on the local provider).

    ``kubelet_version`` and ``upgrade_to`` are as in a config, for ``Binaries.other``; a marker is resolved already and
    fits the cluster's version. Empty: the cluster's own, and none. ``network``: one of ``POD_NETWORKS``, or the file of
    a manifest.
    """

    control_planes: int = 1
    nodes: int = 2
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/16"
    network: str = "vxlan"
    kubelet_version: str = ""
    upgrade_to: str = ""

    @property
    def manifest(self) -> Path | None:
        """The manifest that connects the pods, where it is not one of our networks."""
        return None if self.network in POD_NETWORKS else Path(self.network).expanduser()


@dataclass(frozen=True, slots=True)
class Resource:
    """Something a provider created and still finds: ``kind`` in the provider's words, ``name`` as a person would look it up."""

    kind: str
    name: str


Role = Literal["control-plane", "worker"]


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that shall become a node. ``name``: in the cluster; ``endpoint``: where its SSH server is reached.

    ``addresses``: those at which other nodes reach it, the preferred one first, if not the endpoint's.
    """

    name: str
    role: Role
    endpoint: Endpoint
    addresses: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The address at which other nodes reach it."""
        return self.addresses[0] if self.addresses else self.endpoint.host


@dataclass(frozen=True, slots=True)
class Output:
    """What a command printed on its way to exit code 0; what is no UTF-8 is replaced."""

    stdout: str
    stderr: str = ""


class Node(Protocol):
    """A machine that runs commands, always as root.

    Every method raises alike, naming the node: CommandError for a command that fails, NodeUnreachable when the machine
    is not there or is lost meanwhile (whether the command goes on is then unknown), DeadlineExceeded. A command that
    misses its deadline is ended on the machine. No ``argv`` holds a secret: those go to ``stdin`` or into a file.
    """

    @property
    def name(self) -> str:
        """The name of the machine in the cluster."""

    @property
    def role(self) -> Role:
        """What it is for."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses at which other nodes reach it, the preferred one first; never empty."""

    def run(self, argv: Sequence[str], *, deadline: Deadline, stdin: bytes | Path = b"") -> Output:
        """Run a command and return what it printed, 8 MiB at most. ``stdin``: bytes, or a file of ours to send."""

    def put(self, content: bytes | Path, path: str, *, deadline: Deadline, mode: int = 0o644) -> None:
        """Write a file, root's, there whole or not at all; its folder is made if needed."""

    def get(self, path: str, dest: Path, *, deadline: Deadline, limit_bytes: int) -> bool:
        """Copy a file from the machine into a private one; return whether it was whole: its first ``limit_bytes`` come."""

    def stream(
        self, argv: Sequence[str], *, deadline: Deadline, stdin: bytes | Path = b""
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Run a command and hand out what it prints on stdout as it comes; leaving early hangs up on it."""

    def close(self) -> None:
        """Break off what runs and refuse what comes. Closing twice is fine."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Frozen facts about a cluster that is up; the same for every provider.

    ``nodes``: names of the nodes that take ordinary pods. ``features``: what ``requires(...)`` may ask for: ``pods-run``, ``node-ssh``, ``dns``, …
    ``kubectl``: the pinned client for this version. ``allow``: which of ``cluster_scoped``, ``disruptive``,
    ``preempts``, ``node_ssh`` cases may run here (all of them on a cluster of our own). ``machines``: the private file
    through which ``providers.reach`` reaches the machines of nodes, where they are reached at all.
    """

    name: str
    kubeconfig: Path
    version: str
    nodes: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    kubectl: Path | None = None
    allow: frozenset[str] = frozenset({"cluster_scoped", "disruptive", "preempts", "node_ssh"})
    machines: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values; ``from_json`` is the inverse."""
        return {
            "name": self.name,
            "kubeconfig": str(self.kubeconfig),
            "version": self.version,
            "nodes": list(self.nodes),
            "features": sorted(self.features),
            "kubectl": str(self.kubectl) if self.kubectl else None,
            "allow": sorted(self.allow),
            "machines": str(self.machines) if self.machines else None,
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Cluster:
        """Return the cluster that ``to_json`` described."""
        return cls(
            name=facts["name"],
            kubeconfig=Path(facts["kubeconfig"]),
            version=facts["version"],
            nodes=tuple(facts["nodes"]),
            features=frozenset(facts["features"]),
            kubectl=Path(facts["kubectl"]) if facts["kubectl"] else None,
            allow=frozenset(facts["allow"]),
            machines=Path(facts["machines"]) if facts.get("machines") else None,
        )


class StepRecorder(Protocol):
    """Records what a provider does inside Up, Dump and Down, for the live display, the log and ``junit_runner.xml``."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Enter a named part; it is recorded with its seconds, also when it raises."""

    def note(self, text: str) -> None:
        """Write one line to the build log."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the core hands to every call of a provider.

    ``run``: ``<job>-<build>``; ``cluster``: ``c1`` …; ``folder``: this cluster's private state folder (mode 0700, made by
    the core, kept until down has succeeded), the only place where a provider keeps what it must remember;
    ``expires_s``: UTC epoch after which anybody may remove what the run created; ``keep_secret``: tell the censor a
    value that must never be published; ``variables``: those of the environment that the provider's class asks for.
    """

    run: str
    cluster: str
    folder: Path
    owner: str
    expires_s: int
    deadline: Deadline
    steps: StepRecorder
    binaries: Binaries
    keep_secret: Callable[[str], None] = field(default=lambda _value: None)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


class Provider(Protocol):
    """Makes one cluster and takes it away again. Every method is idempotent and resumable."""

    def up(self, spec: ClusterSpec, ctx: Context) -> Cluster:
        """Return a cluster whose nodes are ready. A second call continues what a killed one began."""

    def is_up(self, ctx: Context) -> bool:
        """Say whether the cluster of this context answers now."""

    def dump(self, ctx: Context, dest: Path) -> None:
        """Write logs, objects, events and versions below ``dest``; works on a half-made cluster too."""

    def down(self, ctx: Context) -> None:
        """Remove what ``up`` created and nothing else. Nothing there is success."""

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """List what carries the run's mark and is still there. Must be empty after ``down``."""


class ProviderType(Protocol):
    """What an entry point of ``federated_e2e.providers`` holds: a class made from its validated settings.

    ``Settings`` validates the config's ``provider:`` section without ``name`` (pydantic, ``extra="forbid"``, frozen).
    ``features`` are those of the clusters it makes; ``owns_cluster`` is false for a provider that never creates one.
    """

    Settings: ClassVar[type[BaseModel]]
    features: ClassVar[frozenset[str]]
    owns_cluster: ClassVar[bool]

    def __call__(self, settings: Any) -> Provider:
        """Return the provider for these settings. Does no work."""


class MachineMaker(Protocol):
    """Makes machines and nothing more; ``providers.kubeadm`` makes a cluster of them. Found by ``federated_e2e.machines``.

    Every method is idempotent and resumable. Machines are values: whoever works on them connects by ``access``.
    """

    def ensure(self, spec: ClusterSpec, ctx: Context) -> tuple[Machine, ...]:
        """Return the machines of a cluster, control planes first, made where they are not there yet."""

    def access(self, ctx: Context) -> Access:
        """Return how one logs in to them. Raises: UsageError when what opens them is not given."""

    def delete(self, ctx: Context) -> None:
        """Remove the machines that ``ensure`` made. Nothing there is success, and so is a maker that makes none."""

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """List what carries the run's mark and is still there."""


class ReadsEnvironment(Protocol):
    """An ability of a provider's class: ask for variables of the environment, which configs never hold."""

    variables: ClassVar[tuple[str, ...]]


class ChecksCluster(Protocol):
    """An ability that a provider may have: say before anything is created what it cannot make."""

    def refusals(self, spec: ClusterSpec) -> Mapping[str, str]:
        """Return key of ``cluster:`` -> what is expected there instead. Empty: all is well. Opens and starts nothing."""


class MakesMachines(Protocol):
    """An ability of a maker's class: its machines end with their cluster, so that nothing on them has to be undone."""

    makes_machines: ClassVar[bool]


class BalancesApi(Protocol):
    """An ability that a maker may have: one address for several control planes. Without it a machine of the cluster has it.

    A control plane that has not joined must not be behind the address: where machines take packets to it for their own,
    it would reach only itself.
    """

    def balance(self, names: Sequence[str], spec: ClusterSpec, ctx: Context) -> str:
        """Have at least these control planes behind the address, and return its host; the port is that of API servers."""


class NamesPrograms(Protocol):
    """An ability that a provider may have: say which programs ``up`` will ask for.

    Those of a checkout (``kubernetes: source:DIR``) are then built in the step Build, before ``up`` has begun; without
    it they are built when they are asked for.
    """

    def programs(self, spec: ClusterSpec) -> tuple[str, ...]:
        """Return the names of Kubernetes's own programs that ``up`` will ask for, for this machine's platform."""


class NoticesLosses(Protocol):
    """An ability that a provider may have: say what befell the machines of nodes. Asked after a suite that failed."""

    def losses(self, ctx: Context) -> Mapping[str, str]:
        """Return node -> what befell its machine since ``up``, for those that something befell.

        A machine that a case rebooted by the plugin's ``machines`` is not lost.
        """


class KnowsVersion(Protocol):
    """An ability that a provider of somebody's cluster may have: say what it runs before anything else is done."""

    def cluster_version(self, folder: Path) -> str:
        """Return the cluster's version; ``folder`` is private and may be used meanwhile.

        Raises: UsageError when it cannot be asked, ProviderError when it does not answer.
        """
