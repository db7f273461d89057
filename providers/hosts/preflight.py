"""Says of machines what keeps them from becoming nodes: everything of all of them at once, each with what mends it.

Pure functions of ``Facts``. Limits are kubeadm's own where it has one: 2 cores and 1700 MB for a control plane.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from providers.contracts import Role
from providers.hosts.facts import Facts
from upload.errors import ProviderError

SYSTEMS = {("ubuntu", "22.04"): "Ubuntu 22.04", ("ubuntu", "24.04"): "Ubuntu 24.04", ("debian", "12"): "Debian 12"}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MODULES = ("overlay", "br_netfilter", "nf_conntrack")
INOTIFY_INSTANCES = 128
SKEW_S = 5.0
CORES: Mapping[Role, int] = {"control-plane": 2, "worker": 1}
MEMORY_BYTES: Mapping[Role, int] = {"control-plane": 1700 * 1024**2, "worker": 700 * 1024**2}
DISK_BYTES = 5 * 1024**3
PORTS: Mapping[Role, tuple[int, ...]] = {
    "control-plane": (6443, 2379, 2380, 2381, 10248, 10249, 10250, 10256, 10257, 10259),
    "worker": (10248, 10249, 10250, 10256),
}
_PACKAGES = {"ip": "iproute2", "ss": "iproute2", "modprobe": "kmod", "systemctl": "systemd"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a machine. ``rule``: one word; ``mend``: the command to run on it, or what to do else."""

    node: str
    rule: str
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine to look at. ``is_used``: a cluster is on it, ours or not, so that its ports and disk say nothing more."""

    name: str
    role: Role
    facts: Facts
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a job asks of machines.

    ``vxlan``: the UDP port of its tunnels, if it lays some; ``ports``: name of a machine -> TCP ports besides those of its
    role; ``ignored``: rules that its config switches off.
    """

    vxlan: int | None = None
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()


class UnfitMachines(ProviderError):
    """Machines that cannot become nodes. ``problems`` is never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        nodes = {problem.node for problem in problems}
        count = f"{len(nodes)} machine{'s' if len(nodes) > 1 else ''} cannot be used"
        lines = [line for p in problems for line in (f"  {p.node}: {p.what}", f"      {p.mend}")]
        super().__init__("\n".join([count, *lines]))
        self.problems = tuple(problems)


def check(machines: Sequence[Machine], wanted: Wanted) -> tuple[Problem, ...]:
    """Return every problem, by machine in their order."""
    modules = (*MODULES, "vxlan") if wanted.vxlan is not None else MODULES
    twins = _twins(machines)
    problems = [
        Problem(machine.name, rule, what, mend)
        for machine in machines
        for rule, what, mend in (
            *(found for look in _RULES for found in look(machine)),
            *_modules(machine, modules),
            *_ports(machine, wanted),
            *twins[machine.name],
        )
    ]
    return tuple(problem for problem in problems if problem.rule not in wanted.ignored)


_Found = Iterator[tuple[str, str, str]]


def _system(machine: Machine) -> _Found:
    facts = machine.facts
    if (facts.os_id, facts.os_version) not in SYSTEMS:
        supported = ", ".join(SYSTEMS.values())
        yield "os", f"it runs {facts.os_name}", f"install one of {supported}"
    if facts.architecture not in ARCHITECTURES:
        yield "architecture", f"its processor is {facts.architecture}", "use one of amd64, arm64"
    if facts.init != "systemd":
        yield "init", f"its first process is {facts.init or 'unknown'}, not systemd", "boot it with systemd"


def _programs(machine: Machine) -> _Found:
    for program in machine.facts.missing:
        yield "programs", f"{program} is missing", f"apt-get install --yes {_PACKAGES.get(program, program)}"
    if machine.facts.unconfigured:
        yield (
            "packages",
            f"dpkg: {machine.facts.unconfigured[0]}",
            "dpkg --configure -a && apt-get --fix-broken install",
        )


def _size(machine: Machine) -> _Found:
    facts, role = machine.facts, machine.role
    if facts.cores < CORES[role]:
        yield "cores", f"{facts.cores} core, a {role} needs {CORES[role]}", "give it more cores"
    if facts.memory_bytes < MEMORY_BYTES[role]:
        what = f"{_mib(facts.memory_bytes)} of memory, a {role} needs {_mib(MEMORY_BYTES[role])}"
        yield "memory", what, "give it more memory"
    if facts.disk_free_bytes < DISK_BYTES and not machine.is_used:
        what = f"{_mib(facts.disk_free_bytes)} free in /var/lib, {_mib(DISK_BYTES)} are needed"
        yield "disk", what, "apt-get clean; journalctl --vacuum-size=100M; or a larger disk"


def _settings(machine: Machine) -> _Found:
    facts = machine.facts
    if facts.swaps:
        yield "swap", f"swap is on: {', '.join(facts.swaps)}", r"swapoff -a && sed -i '/\sswap\s/s/^/#/' /etc/fstab"
    for key, setting in facts.sysctls.items():
        if not setting.is_writable and key != "fs/inotify/max_user_instances":
            name = key.replace("/", ".")
            yield "sysctls", f"{name} cannot be changed", "mount -o remount,rw /proc/sys"
    instances = facts.sysctls.get("fs/inotify/max_user_instances")
    if instances and instances.value.isdecimal() and int(instances.value) < INOTIFY_INSTANCES:
        what = f"fs.inotify.max_user_instances is {instances.value}, kubelet and pods need {INOTIFY_INSTANCES}"
        yield "sysctls", what, "sysctl -w fs.inotify.max_user_instances=8192"


def _clock(machine: Machine) -> _Found:
    facts = machine.facts
    if abs(facts.skew_s) - facts.skew_error_s > SKEW_S:
        direction = "ahead of" if facts.skew_s > 0 else "behind"
        what = f"its clock is {abs(facts.skew_s):.0f} s {direction} ours: certificates would not be valid"
        yield "clock", what, "timedatectl set-ntp true   (and look at: timedatectl timesync-status)"


def _drop_ins(machine: Machine) -> _Found:
    for path in machine.facts.drop_ins:
        what = f"{path} changes how the kubelet is started: another one would be tested"
        yield "kubelet", what, f"apt-get purge kubeadm kubelet, or remove {path}; systemctl daemon-reload"


def _ports(machine: Machine, wanted: Wanted) -> _Found:
    if machine.is_used:
        return
    needed = (*PORTS[machine.role], *wanted.ports.get(machine.name, ()))
    for listener in machine.facts.listeners:
        if listener.port in needed:
            by = f" by {listener.process}" if listener.process else ""
            yield (
                "ports",
                f"port {listener.port} is taken{by}",
                f"ss -ltnp 'sport = :{listener.port}'; stop what listens",
            )
    if wanted.vxlan in {listener.port for listener in machine.facts.datagrams}:
        what = f"UDP port {wanted.vxlan}, which the tunnels need, is taken"
        yield "ports", what, f"ss -lunp 'sport = :{wanted.vxlan}'; stop what listens"


_RULES: tuple[Callable[[Machine], _Found], ...] = (_system, _programs, _size, _settings, _clock, _drop_ins)


def _modules(machine: Machine, wanted: Sequence[str]) -> _Found:
    for name in wanted:
        if machine.facts.modules.get(name, "missing") == "missing":
            yield (
                "modules",
                f"the kernel module {name} is missing",
                "apt-get install --yes linux-modules-extra-$(uname -r)",
            )


def _twins(machines: Sequence[Machine]) -> Mapping[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for rule, mend in (
        ("machine-id", "rm /etc/machine-id && systemd-machine-id-setup, if it is a copy"),
        ("hostname", "hostnamectl set-hostname NAME"),
    ):
        first: dict[str, str] = {}
        for machine in machines:
            seen = machine.facts.machine_id if rule == "machine-id" else machine.facts.hostname
            if seen and seen in first:
                what = f"it has the {rule} of {first[seen]}: the same machine twice, or a copy"
                found[machine.name].append((rule, what, mend))
            first.setdefault(seen, machine.name)
    return found


def _mib(size_bytes: int) -> str:
    return f"{size_bytes // 1024**2} MiB"
