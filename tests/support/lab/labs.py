"""Labs: hosts on a bridge of their own, from nothing to gone.

    with lab(2) as two:
        for host in two.hosts: ...

A lab belongs to the process that opened it. When that is killed, the next one to open a lab removes what it left.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from providers.contracts import Deadline
from providers.releases.sources import sources_from_env
from tests.support.lab import bridge, cgroups, hosts, settings
from tests.support.lab.command import MOMENT_S, run
from tests.support.lab.hosts import Place
from tests.support.lab.image import host_image
from tests.support.lab.keys import known_hosts, make_key, ssh_config
from tests.support.lab.needs import require_all
from tests.support.lab.records import Ledger, Record, boot_id, is_abandoned, this_process
from tests.support.lab.room import check_room
from tests.support.lab.seed import Seed
from tests.support.lab.values import LABS, HostSize, LabHost, LabNames
from upload.errors import ProviderError

BOOT_S = 60.0
END_S = 60.0
SSH_CONFIG = "ssh_config"
SSH_KEY = "ssh_key"
NAME = re.compile(r"[a-z][a-z0-9]{0,3}")  # of a host: its wire at our end is an interface, with 15 characters at most


class Lab:
    """An open lab. Hosts are added by name, broken in every way, and removed; a name keeps its address."""

    def __init__(self, ledger: Ledger, record: Record, image: Path, *, size: HostSize, layers: Sequence[Path]) -> None:
        self.names = LabNames(record.number)
        self.folder = ledger.of(record.number)
        self.size = size
        self._ledger = ledger
        self._record = record
        self._image = image
        self._layers = tuple(layers)
        self._indices: dict[str, int] = {}
        self._public = make_key(self.folder / SSH_KEY)

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """Return the hosts that there are, in the order in which they came."""
        return self._record.hosts

    @property
    def ssh_config(self) -> Path:
        """Return a client's configuration for all hosts: ``ssh -F FILE NAME``."""
        return self.folder / SSH_CONFIG

    def add(self, *names: str, user: str = "root", boot_s: float = BOOT_S) -> tuple[LabHost, ...]:
        """Boot hosts with empty disks and new host keys, all at once; one of a name that is there is replaced.

        ``user``: ``root``, or ``admin`` who needs sudo and no password for it.
        Raises: ProviderError when the machine has no room or a host ends; DeadlineExceeded.
        """
        self.remove(*names)
        check_room(self.folder, len(names))
        made = tuple(self._lay_out(name, user) for name in names)
        self._note((*self.hosts, *made))
        self.start(*names, boot_s=boot_s)
        return made

    def remove(self, *names: str) -> None:
        """End hosts and forget their disks. Names that there are not are fine."""
        present = [host.name for host in self.hosts if host.name in names]
        self.stop(*present)
        for name in present:
            shutil.rmtree(self.place(name).folder, ignore_errors=True)
        self._note(tuple(host for host in self.hosts if host.name not in names))

    def stop(self, *names: str) -> None:
        """Take the power from hosts. Their disks stay."""
        hosts.stop([self.place(name) for name in names], Deadline.after(END_S, "ending hosts"))

    def start(self, *names: str, boot_s: float = BOOT_S) -> None:
        """Boot hosts on the disks they have, and return when SSH answers. Raises as ``add`` does."""
        for host in self.hosts:
            if host.name in names:
                hosts.start(self.place(host.name), self.size)
        self.wait(*names, boot_s=boot_s)

    def wait(self, *names: str, boot_s: float = BOOT_S) -> None:
        """Return when the SSH server of each host answers. Raises as ``add`` does."""
        waited = [(self.place(host.name), host) for host in self.hosts if host.name in names]
        hosts.wait_for_ssh(waited, Deadline.after(boot_s, "booting hosts"))

    def run(self, name: str, script: str, *, stdin: bytes = b"", timeout_s: float = MOMENT_S) -> str:
        """Return what a shell on a host prints. Raises: CommandError with the end of its output, DeadlineExceeded."""
        return run("ssh", "-F", str(self.ssh_config), name, script, stdin=stdin, timeout_s=timeout_s)

    def plug(self, name: str, *, plugged: bool) -> None:
        """Pull a host's network wire, or plug it in again."""
        bridge.plug(self.names, name, plugged=plugged)

    def freeze(self, name: str, *, frozen: bool) -> None:
        """Freeze a host or let it go on: meanwhile it accepts connections and says nothing."""
        cgroups.freeze(self.names.machine(name), frozen=frozen)

    def place(self, name: str) -> Place:
        """Return where a host lives on this machine. Raises ProviderError for a name that no host may have."""
        if not NAME.fullmatch(name):
            raise ProviderError(f"a host's name is a small letter and up to three more letters or digits, not {name!r}")
        return Place(self.names, name, self.folder / name)

    def address(self, name: str) -> IPv4Address:
        """Return the address that a host has or will have."""
        return self.names.address(self._indices.setdefault(name, len(self._indices)))

    def _lay_out(self, name: str, user: str) -> LabHost:
        place = self.place(name)
        address = self.address(name)
        key = self.folder / f"{name}.host_key"
        public = make_key(key)
        prefix_length = self.names.network.prefixlen
        seed = Seed(name, address, prefix_length, self.names.gateway, self._public, key.read_bytes())
        hosts.lay_out(place, seed.tar(), self._image, layers=self._layers, size=self.size)
        return LabHost(name, str(address), user, self.folder / SSH_KEY, public)

    def _note(self, now: tuple[LabHost, ...]) -> None:
        self._record = replace(self._record, hosts=now)
        self._ledger.write(self._record)
        known = self.folder / "known_hosts"
        known.write_text(known_hosts(now), encoding="ascii")
        self.ssh_config.write_text(ssh_config(now, known), encoding="utf-8")


@contextmanager
def open_lab(
    *,
    size: HostSize | None = None,
    layers: Sequence[Path] = (),
    ledger: Ledger | None = None,
    numbers: Sequence[int] = LABS,
) -> Iterator[Lab]:
    """Give a lab without hosts, and remove it with all it has, whatever happens in the block.

    ``layers``: squashfs files laid over the image, the last one on top (``image.squash`` makes one of a folder).
    Raises: ProviderError when something is missing on this machine.
    """
    made = make_lab(ledger or Ledger(), kept=False, size=size or HostSize(), layers=layers, numbers=numbers)
    try:
        yield made
    finally:
        remove_labs(ledger or Ledger(), {made.names.number})


@contextmanager
def lab(
    count: int,
    *,
    size: HostSize | None = None,
    layers: Sequence[Path] = (),
    user: str = "root",
    ledger: Ledger | None = None,
) -> Iterator[Lab]:
    """Give a lab with ``count`` booted hosts, h1, h2, …; see ``open_lab`` and ``Lab.add``."""
    with open_lab(size=size, layers=layers, ledger=ledger) as made:
        made.add(*host_names(count), user=user)
        yield made


def host_names(count: int) -> tuple[str, ...]:
    """Return h1, h2, …"""
    return tuple(f"h{number}" for number in range(1, count + 1))


def make_lab(
    ledger: Ledger, *, kept: bool, size: HostSize, layers: Sequence[Path] = (), numbers: Sequence[int] = LABS
) -> Lab:
    """Make a lab without hosts, after removing those that nobody else will.

    ``kept``: it outlives this process; ``numbers``: of which it gets the first free one.
    """
    require_all()
    image = host_image(sources_from_env(os.environ))
    boot = boot_id()
    with ledger.locked(Deadline.after(END_S, "waiting for other labs")):
        remove_abandoned(ledger, boot)
        settings.keep(ledger.settings, boot)
        number = bridge.free_number(ledger.labs(), bridge.links(), bridge.networks(), numbers)
        record = Record(number, boot, None if kept else this_process())
        ledger.write(record)  # before anything else is made: what is made later is found by it
        try:
            bridge.add(LabNames(number))
            return Lab(ledger, record, image, size=size, layers=layers)
        except BaseException:
            _remove(ledger, {number}, boot)
            raise


def remove_abandoned(ledger: Ledger, boot: str) -> None:
    """Remove every lab whose owner is gone. The lock is held."""
    _remove(ledger, {number for number, record in ledger.labs().items() if is_abandoned(record, boot)}, boot)


def remove_labs(ledger: Ledger, numbers: set[int]) -> None:
    """Remove labs with all their hosts. Raises ProviderError naming what stays."""
    with ledger.locked(Deadline.after(END_S, "waiting for other labs")):
        _remove(ledger, numbers, boot_id())


def _remove(ledger: Ledger, numbers: set[int], boot: str) -> None:
    for number in sorted(numbers):
        names, folder = LabNames(number), ledger.of(number)
        hosts.stop_lab(folder, names, Deadline.after(END_S, f"ending {names.lab}"))
        bridge.remove(names)
        shutil.rmtree(folder)
    if not ledger.labs():
        settings.put_back(ledger.settings, boot)
