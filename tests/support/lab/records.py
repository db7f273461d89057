"""Which labs there are on this machine, and whose: a file for each, so that the next start finds what a dead run left.

    /var/lib/federated-e2e-lab/lock                 held while a lab is made or removed
    /var/lib/federated-e2e-lab/settings.json        the machine's settings before the first lab
    /var/lib/federated-e2e-lab/e2elab0/record.json  a lab: who owns it, its hosts
    /var/lib/federated-e2e-lab/e2elab0/<host>/      a host: disk, console, seed

One place for the machine, not one for each cache: bridges, control groups and settings are the machine's too.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.contracts import Deadline
from providers.locks import lock
from tests.support.lab.values import JOB_LAB, LABS, LabHost, LabNames
from upload.errors import ProviderError

FOLDER = Path("/var/lib/federated-e2e-lab")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class Owner:
    """A process. ``started``: clock ticks since the machine started, which tells it from a later one of the same pid."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class Record:
    """One lab. ``boot``: the machine's boot in which it was made; no owner: it is kept until somebody removes it."""

    number: int
    boot: str
    owner: Owner | None
    hosts: tuple[LabHost, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; ``from_json`` is the inverse."""
        owner = {"pid": self.owner.pid, "started": self.owner.started} if self.owner else None
        return {"number": self.number, "boot": self.boot, "owner": owner, "hosts": [h.to_json() for h in self.hosts]}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Record:
        """Return the record that ``to_json`` described. Raises KeyError, TypeError, ValueError."""
        owner = told["owner"]
        return cls(
            number=int(told["number"]),
            boot=str(told["boot"]),
            owner=Owner(int(owner["pid"]), int(owner["started"])) if owner is not None else None,
            hosts=tuple(map(LabHost.from_json, told["hosts"])),
        )


def boot_id() -> str:
    """Return what is new at each start of the machine."""
    return BOOT_ID.read_text(encoding="ascii").strip()


def start_of(pid: int) -> int | None:
    """Return when a process was started, in ticks; None when there is none, or only a zombie."""
    try:
        return started_ticks(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def started_ticks(stat: str) -> int | None:
    """Return the field ``starttime`` of a ``/proc/PID/stat``; None for a zombie. Source: proc(5)."""
    fields = stat[stat.rindex(")") + 1 :].split()  # the name before may hold blanks and brackets
    return None if fields[0] in "ZX" else int(fields[19])


def this_process() -> Owner:
    """Return ourselves as an owner."""
    pid = os.getpid()
    return Owner(pid, start_of(pid) or 0)


def is_abandoned(record: Record | None, boot: str, start: Callable[[int], int | None] = start_of) -> bool:
    """Say whether nobody will ever remove a lab: an earlier boot's, one without a record, or its owner is gone."""
    if record is None or record.boot != boot:
        return True
    return record.owner is not None and start(record.owner.pid) != record.owner.started


class Ledger:
    """The records below one folder, which is made, private to root, when something is first written."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    @property
    def settings(self) -> Path:
        """Return the file of the machine's settings."""
        return self.folder / "settings.json"

    def of(self, number: int) -> Path:
        """Return the folder of one lab."""
        return self.folder / LabNames(number).lab

    @contextmanager
    def locked(self, deadline: Deadline) -> Iterator[None]:
        """Hold the lock under which labs are made and removed. The kernel frees it when the holder dies.

        Raises: ProviderError for a folder of somebody else, DeadlineExceeded.
        """
        self.folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        if self.folder.stat().st_uid != os.geteuid():
            raise ProviderError(f"{self.folder} belongs to another user", hint=f"ls -ld {self.folder}")
        self.folder.chmod(PRIVATE)
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock(handle, deadline)
            yield
        finally:
            os.close(handle)

    def labs(self) -> dict[int, Record | None]:
        """Return all labs by number; None for one whose record is missing or broken."""
        found: dict[int, Record | None] = {}
        for number in (*LABS, JOB_LAB):
            if self.of(number).is_dir():
                found[number] = self._read(number)
        return found

    def write(self, record: Record) -> None:
        """Make the folder of a lab, or change its record; whole or not at all."""
        folder = self.of(record.number)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        part = folder / "record.part"
        part.write_text(json.dumps(record.to_json(), indent=1) + "\n", encoding="utf-8")
        part.replace(folder / "record.json")

    def _read(self, number: int) -> Record | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            record = Record.from_json(json.loads((self.of(number) / "record.json").read_bytes()))
            return record if record.number == number else None
        return None
