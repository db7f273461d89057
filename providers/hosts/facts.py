"""What a machine is like, gathered by one command, ``gather.sh``, and read here. The reading is a pure function."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from providers.contracts import Deadline, Node
from providers.wording import visible
from upload.errors import ProviderError

GATHER_S = 60.0
_KIB = 1024
_SECTION = re.compile(r"== (?P<name>[a-z-]+)")
_ASSIGNED = re.compile(r"""(?P<name>[A-Z_]+)=(?P<quote>["']?)(?P<value>[^"']*)(?P=quote)""")
_MEMORY = re.compile(r"(?P<name>MemTotal|SwapTotal):\s+(?P<kib>[0-9]+) kB")
_LISTENS = re.compile(r"LISTEN\s+[0-9]+\s+[0-9]+\s+(?P<address>\S+):(?P<port>[0-9]+)\s")
_DATAGRAMS = re.compile(r"UNCONN\s+[0-9]+\s+[0-9]+\s+(?P<address>\S+):(?P<port>[0-9]+)\s")
_PROCESS = re.compile(r'users:\(\("(?P<name>[^"]*)",pid=(?P<pid>[0-9]+)')


@dataclass(frozen=True, slots=True)
class Listener:
    """A port somebody listens on. ``address``: as ss prints it; ``process``: its name, or empty."""

    address: str
    port: int
    process: str


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel setting by its path below /proc/sys, and whether root may change it."""

    value: str
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """One machine. ``skew_s``: how far its clock is ahead of ours, ``skew_error_s``: at most that wrong.

    ``modules``: name -> loaded, loadable or missing; ``missing``: programs that are not there; ``unconfigured``: what
    dpkg complains of; ``listeners``: of TCP, ``datagrams``: of UDP; ``drop_ins``: files that change how a kubelet is
    started; ``kubernetes``, ``cni``: files that somebody's cluster left; ``links``: of the network; ``owner``: the text of owner.json.
    """

    os_id: str
    os_version: str
    os_name: str
    architecture: str
    init: str
    hostname: str
    machine_id: str
    cores: int
    memory_bytes: int
    swaps: tuple[str, ...]
    disk_free_bytes: int
    modules: Mapping[str, str]
    sysctls: Mapping[str, Sysctl]
    missing: tuple[str, ...]
    unconfigured: tuple[str, ...]
    listeners: tuple[Listener, ...]
    datagrams: tuple[Listener, ...]
    drop_ins: tuple[str, ...]
    kubernetes: tuple[str, ...]
    cni: tuple[str, ...]
    links: tuple[str, ...]
    owner: str
    skew_s: float
    skew_error_s: float


def gather(node: Node, *, deadline: Deadline, clock: Callable[[], float] = time.time) -> Facts:
    """Return the facts of a machine; connects first. Raises as ``Node.run`` does; ProviderError for an answer that is none."""
    bounded = deadline.at_most(GATHER_S, "looking at the machines")
    node.run(("true",), deadline=bounded)  # so that connecting does not blur the comparison of clocks
    before_s = clock()
    printed = node.run(("sh", "-s"), deadline=bounded, stdin=script("gather.sh")).stdout
    try:
        return parse_facts(printed, before_s=before_s, after_s=clock())
    except ValueError as exc:
        raise ProviderError(f"{node.name}: what it says of itself cannot be read: {exc}") from exc


def script(name: str) -> bytes:
    """Return one of this package's shell scripts."""
    return files(__package__).joinpath(name).read_bytes()


def parse_facts(printed: str, *, before_s: float, after_s: float) -> Facts:
    """Return what ``gather.sh`` printed, asked between two moments of our clock (UTC epoch). Raises: ValueError."""
    sections = _sections(printed)
    memory = _memory(sections["memory"])
    system = _assignments(sections["os"])
    middle_s = (before_s + after_s) / 2
    return Facts(
        os_id=system.get("ID", ""),
        os_version=system.get("VERSION_ID", ""),
        os_name=visible(system.get("PRETTY_NAME", "an unknown system")),
        architecture=_only(sections["architecture"]),
        init=_only(sections["init"]),
        hostname=_only(sections["hostname"]),
        machine_id=_only(sections["machine-id"]),
        cores=int(_only(sections["cores"])),
        memory_bytes=memory["MemTotal"],
        swaps=tuple(visible(line.split()[0]) for line in sections["swaps"][1:] if line.strip()),
        disk_free_bytes=_free(sections["disk"]),
        modules=dict(_pair(line) for line in sections["modules"]),
        sysctls=dict(_sysctl(line) for line in sections["sysctls"]),
        missing=tuple(visible(line) for line in sections["missing"]),
        unconfigured=tuple(visible(line) for line in sections["audit"] if line.strip()),
        listeners=tuple(_listener(line, _LISTENS) for line in sections["ports"] if line.strip()),
        datagrams=tuple(_listener(line, _DATAGRAMS) for line in sections["datagrams"] if line.strip()),
        drop_ins=tuple(visible(line) for line in sections["drop-ins"]),
        kubernetes=tuple(sections["kubernetes"]),
        cni=tuple(sections["cni"]),
        links=tuple(sections["links"]),
        owner="\n".join(sections["owner"]),
        skew_s=_time(sections["clock"]) - middle_s,
        skew_error_s=(after_s - before_s) / 2,
    )


def _sections(printed: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in printed.split("\n"):
        if found := _SECTION.fullmatch(line):
            current = sections.setdefault(found["name"], [])
        elif line.startswith(" "):
            current.append(line[1:])
        elif line:
            raise ValueError(f"unexpected line {visible(line)!r}")
    if "end" not in sections:
        raise ValueError("it is cut short")
    return sections


def _only(lines: list[str]) -> str:
    return visible(lines[0].strip()) if lines else ""


def _time(lines: list[str]) -> float:
    moment_s = float(_only(lines))
    if not math.isfinite(moment_s):
        raise ValueError("its clock shows no time")
    return moment_s


def _pair(line: str) -> tuple[str, str]:
    name, _, state = line.partition(" ")
    return name, state


def _assignments(lines: list[str]) -> dict[str, str]:
    return {found["name"]: found["value"] for line in lines if (found := _ASSIGNED.fullmatch(line.strip()))}


def _memory(lines: list[str]) -> dict[str, int]:
    found = {match["name"]: int(match["kib"]) * _KIB for line in lines if (match := _MEMORY.match(line))}
    if "MemTotal" not in found:
        raise ValueError("no MemTotal")
    return found


def _free(lines: list[str]) -> int:
    fields = lines[-1].split() if lines else []
    if len(fields) < 6:  # df -P: file system, blocks, used, available, capacity, mounted on
        raise ValueError("no free space of /var/lib")
    return int(fields[3]) * _KIB


def _sysctl(line: str) -> tuple[str, Sysctl]:
    key, _, rest = line.partition(" ")
    state, _, value = rest.partition(" ")
    return key, Sysctl(value.strip(), state == "writable")


def _listener(line: str, form: re.Pattern[str]) -> Listener:
    found = form.match(line + " ")
    if found is None:
        raise ValueError(f"no listening port: {visible(line)!r}")
    process = _PROCESS.search(line)
    name = visible(f"{process['name']} (pid {process['pid']})") if process else ""
    return Listener(found["address"], int(found["port"]), name)
