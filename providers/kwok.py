"""kwokctl's side of the local provider: its files, its configuration, its ports, and how a start is watched.

Source: lab.md section 8; sigs.k8s.io/kwok v0.8.0, pkg/kwokctl/runtime/binary.
"""

from __future__ import annotations

import json
import random
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from providers.process import Mark, is_alive, tail

LOOPBACK = "127.0.0.1"
WORKDIR = "KWOK_WORKDIR"  # kwokctl's own variable, which every process of a cluster inherits
# The API server must advertise an address that is not on the loopback; nothing connects to it. One that is reserved for
# documentation works offline too, and does not publish this machine's own address with the dump.
ADVERTISED = "192.0.2.254"
LOWEST_PORT, HIGHEST_PORT = 20000, 32700  # below the range that the kernel hands to outgoing connections
PORT_TRIES = 200

# component -> the program that runs it
PROGRAMS = {
    "etcd": "etcd",
    "kube-apiserver": "kube-apiserver",
    "kube-controller-manager": "kube-controller-manager",
    "kube-scheduler": "kube-scheduler",
    "kwok-controller": "kwok",
}
NEEDED = ("kwokctl", "kubectl", *PROGRAMS.values())
_BINARY_OPTIONS = {
    "etcd": "etcdBinary",
    "kube-apiserver": "kubeApiserverBinary",
    "kube-controller-manager": "kubeControllerManagerBinary",
    "kube-scheduler": "kubeSchedulerBinary",
    "kwok": "kwokControllerBinary",
    "kubectl": "kubectlBinary",
}
_PORT_OPTIONS = (
    "etcdPort",
    "etcdPeerPort",
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
)
PORTS_NEEDED = len(_PORT_OPTIONS)
LINE_SHOWN = 300
_TAKEN = "address already in use"
# etcd ends with its whole usage, some programs with a stack: the reason stands above that
_REASONS = (  # what says why, before what only says that
    re.compile(r"not defined|denied|too large|no space", re.IGNORECASE),
    re.compile(r"error|fatal|panic|fail", re.IGNORECASE),
)
_STACK = re.compile(r"^goroutine \d+ \[", re.MULTILINE)  # what Go prints behind a panic

ChoosePorts = Callable[[int], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Home:
    """Where one cluster's files lie. ``folder`` is ours alone; ``name`` is kwokctl's name of the cluster."""

    folder: Path
    name: str

    @property
    def workdir(self) -> Path:
        """The value of ``KWOK_WORKDIR``, which is also the mark of every process."""
        return self.folder / "kwok"

    @property
    def cluster(self) -> Path:
        """What kwokctl makes and removes."""
        return self.workdir / "clusters" / self.name

    @property
    def pki(self) -> Path:
        """Certificates and keys, made new for each cluster."""
        return self.cluster / "pki"

    @property
    def logs(self) -> Path:
        """One ``<component>.log`` each."""
        return self.cluster / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig that kwokctl makes, which names files in ``pki``."""
        return self.cluster / "kubeconfig.yaml"

    @property
    def private_kubeconfig(self) -> Path:
        """The kubeconfig that is handed on: keys inside, readable by its owner only."""
        return self.folder / "kubeconfig"

    @property
    def gates(self) -> Path:
        """Scripts in the place of programs, and the files that they wait for."""
        return self.folder / "gates"

    @property
    def output(self) -> Path:
        """What kwokctl itself printed."""
        return self.folder / "kwokctl.log"

    @property
    def config(self) -> Path:
        """The configuration file given to kwokctl."""
        return self.folder / "kwokctl.yaml"

    @property
    def mark(self) -> Mark:
        """How this cluster's processes are found."""
        return Mark(WORKDIR, str(self.workdir))

    def environment(self) -> dict[str, str]:
        """Return the whole environment of kwokctl and its children: nothing of ours, no ``KWOK_*``, no cookies."""
        return {
            "HOME": str(self.folder / "home"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            WORKDIR: str(self.workdir),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What kwokctl is asked for. ``programs``: program -> path; ``args``: component -> flag -> value."""

    version: str
    programs: Mapping[str, Path]
    service_cidr: str
    args: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()

    @property
    def components(self) -> tuple[str, ...]:
        """The components that run, in the order of their start."""
        return tuple(name for name in PROGRAMS if name not in self.disabled)


def configuration(plan: Plan, home: Home, ports: Sequence[int]) -> str:
    """Return the text of kwokctl's configuration file. ``ports``: as many as ``PORTS_NEEDED``."""
    options: dict[str, Any] = {
        "runtime": "binary",
        "kubeVersion": plan.version,
        "bindAddress": LOOPBACK,
        "heartbeatFactor": 1,  # 5 by default, which makes a silent node noticed after 200 s instead of 40 s
        "components": list(plan.components),
        **{option: str(plan.programs[program]) for program, option in _BINARY_OPTIONS.items()},
        **dict(zip(_PORT_OPTIONS, ports, strict=True)),
    }
    document = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": options,
        "componentsPatches": [
            {"name": name, "extraArgs": [{"key": key, "value": value} for key, value in flags.items()]}
            for name, flags in _flags(plan, home).items()
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


# The default of 20 requests a second is meant for big shared clusters. A suite that runs eight cases at once, each in
# a namespace of its own, would mostly wait for the controllers' own limit.
HURRY = {"kube-api-qps": "500", "kube-api-burst": "1000"}


def _flags(plan: Plan, home: Home) -> dict[str, dict[str, str]]:
    """Return each component's extra flags; the plan's own come last and win."""
    ours = {
        "etcd": {"unsafe-no-fsync": "true"},  # a throwaway cluster need not survive a power cut
        "kube-apiserver": {"advertise-address": ADVERTISED, "service-cluster-ip-range": plan.service_cidr},
        "kube-controller-manager": {
            "cluster-signing-cert-file": str(home.pki / "ca.crt"),  # without a key no certificate request is signed
            "cluster-signing-key-file": str(home.pki / "ca.key"),
            "leader-elect": "false",  # there is one of each; the lease only costs time
            **HURRY,
        },
        "kube-scheduler": {"leader-elect": "false", **HURRY},
        # a test may take a node's or pod's status into its own hands, to play a kubelet that went away
        "kwok-controller": {"disregard-status-with-annotation-selector": "kwok.x-k8s.io/status=custom"},
    }
    return {name: {**ours[name], **plan.args.get(name, {})} for name in plan.components}


def free_ports(count: int) -> tuple[int, ...]:
    """Return ``count`` different ports that nothing listens on now; somebody may still be faster.

    kwokctl's own choice always begins at 32766, so that two clusters started at once would meet.
    Raises: OSError when the machine has no free port.
    """
    pick = random.SystemRandom()
    ports: list[int] = []
    for _ in range(PORT_TRIES):
        if len(ports) == count:
            break
        port = pick.randint(LOWEST_PORT, HIGHEST_PORT)
        if port not in ports and _is_free(port):
            ports.append(port)
    if len(ports) < count:
        raise OSError(f"no {count} free ports between {LOWEST_PORT} and {HIGHEST_PORT} on {LOOPBACK}")
    return tuple(ports)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what the Go programs do too
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Death:
    """A component that ended by itself."""

    component: str
    output_tail: str

    @property
    def last_line(self) -> str:
        """The last line it logged that tells a reason, else its very last, cut to what a message can hold."""
        before_stack = _STACK.split(self.output_tail, maxsplit=1)[0]
        lines = [line.strip() for line in before_stack.splitlines() if line.strip()]
        told = ([line for line in lines if reason.search(line)] for reason in _REASONS)
        return (next(filter(None, told), lines) or ["it logged nothing"])[-1][:LINE_SHOWN]

    @property
    def port_taken(self) -> bool:
        """Whether it ended because another process had its port."""
        return _TAKEN in self.output_tail


def first_death(home: Home, components: Sequence[str]) -> Death | None:
    """Return the first component that was started and is not alive, or None."""
    for component in components:
        pid_file = home.cluster / "pids" / f"{component}.pid"
        try:
            pid = int(pid_file.read_text())
        except (OSError, ValueError):  # not started yet, or being written
            continue
        if not is_alive(pid):
            return Death(component, tail(home.logs / f"{component}.log"))
    return None


def said_by_kwokctl(home: Home) -> str:
    """Return the last thing kwokctl printed, as a person would read it, or an empty text.

    It logs JSON objects a line when it has no terminal: ``msg`` and ``err`` are what matters.
    """
    for line in reversed(tail(home.output).splitlines()):
        try:
            record = json.loads(line)
        except ValueError:
            return line
        if isinstance(record, dict) and record.get("level") in ("ERROR", "WARN"):
            return ": ".join(str(record[key]) for key in ("msg", "err") if key in record)
    return ""
