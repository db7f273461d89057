"""One host on this machine: its folder, its processes, its end."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers import process
from providers.contracts import Deadline
from tests.support.lab import bridge, cgroups
from tests.support.lab.command import MOMENT_S, run
from tests.support.lab.values import HostSize, LabHost, LabNames
from upload.errors import DeadlineExceeded, ProviderError

KEEPER = Path(__file__).with_name("keep-host")
DETACHED = ("setsid", "--fork")  # no child of ours: a lab that is kept outlives us
PRIVATE_MOUNTS = ("unshare", "--mount", "--propagation", "private")
OF_LAB = "FEDERATED_E2E_LAB"  # in the environment of every keeper: the folder of its lab …
OF_HOST = "FEDERATED_E2E_LAB_HOST"  # … and of its host
POLL_S = 0.05
BANNER_S = 2.0
SHORTEST_S = 0.01  # a socket without time would not wait at all
TAIL_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host lives: ``folder`` is its own, ``names`` those of its lab."""

    names: LabNames
    name: str
    folder: Path

    @property
    def console(self) -> Path:
        """Return the file of everything the host wrote to its console, boot after boot."""
        return self.folder / "console"

    @property
    def mark(self) -> process.Mark:
        """Return what the processes that keep this host carry."""
        return process.Mark(OF_HOST, str(self.folder))


def lay_out(place: Place, seed: bytes, image: Path, *, layers: Sequence[Path], size: HostSize) -> None:
    """Make the folder of a host anew: an empty disk, and what its first boot needs. The host must not be running."""
    shutil.rmtree(place.folder, ignore_errors=True)
    (place.folder / "layers").mkdir(mode=0o700, parents=True)
    (place.folder / "image").symlink_to(image)
    for number, layer in enumerate(layers):
        (place.folder / "layers" / f"{number:02d}").symlink_to(layer)
    (place.folder / "seed.tar").write_bytes(seed)
    disk = place.folder / "disk"
    disk.touch(mode=0o600)
    os.truncate(disk, size.disk_bytes)  # sparse: it takes what is written
    run("mkfs.ext4", "-q", "-F", str(disk))


def start(place: Place, size: HostSize) -> None:
    """Start a host on its disk; it is not up yet. Raises ProviderError."""
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LAB_FOLDER": str(place.folder),
        "LAB_CGROUP": place.names.machine(place.name),
        "LAB_MACHINE": place.names.machine(place.name),
        "LAB_HOST": place.name,
        "LAB_BRIDGE": place.names.lab,
        "LAB_MEMORY_BYTES": str(size.memory_bytes),
        OF_LAB: str(place.folder.parent),
        OF_HOST: str(place.folder),
    }
    argv = [*DETACHED, *PRIVATE_MOUNTS, str(KEEPER)]
    process.start(argv, env=env, cwd=place.folder, output=place.console).wait(timeout=MOMENT_S)


def wait_for_ssh(hosts: Iterable[tuple[Place, LabHost]], deadline: Deadline) -> None:
    """Return when the SSH server of every host has greeted.

    Raises: ProviderError when a host ended meanwhile, DeadlineExceeded; both with the end of its console.
    """
    for place, host in hosts:
        while not _greets(host.address, min(BANNER_S, max(SHORTEST_S, deadline.remaining_s()))):
            if not process.marked(place.mark):
                raise ProviderError(f"{host.name} ended while it booted:\n{tail(place.console)}")
            if deadline.remaining_s() <= 0:
                what = f"{host.name}: waiting for SSH (its console ends: {tail(place.console)})"
                raise DeadlineExceeded(what, deadline.total_s)
            time.sleep(POLL_S)


def stop(places: Sequence[Place], deadline: Deadline) -> None:
    """Take the power from hosts: nothing of them runs afterwards, and their disks stay as they are."""
    for place in places:
        process.end(place.mark, deadline=deadline)
        cgroups.remove(place.names.machine(place.name), deadline=deadline)
        bridge.remove_wire(place.names, place.name)


def stop_lab(folder: Path, names: LabNames, deadline: Deadline) -> None:
    """Take the power from every host of a lab, also from those that no record names."""
    process.end(process.Mark(OF_LAB, str(folder)), deadline=deadline)
    cgroups.remove(names.machine("*"), deadline=deadline)


def tail(console: Path) -> str:
    """Return the end of a console's output."""
    try:
        return console.read_text(encoding="utf-8", errors="replace")[-TAIL_CHARS:].strip()
    except FileNotFoundError:
        return ""


def _greets(address: str, within_s: float) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=within_s) as wire:
            return wire.recv(4) == b"SSH-"
    except OSError:
        return False
