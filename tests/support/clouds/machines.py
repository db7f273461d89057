"""What stands behind the machines of a fake: addresses and nothing more, or hosts of the lab that boot and end with them."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from tests.support.lab.hosts import tail
from tests.support.lab.labs import Lab
from upload.errors import HarnessError, ProviderError

# What the agent in a cloud's image does at boot with what the cloud told it. stdin: the public key
_AGENT = """set -eu
hostname "$1"; echo "$1" > /etc/hostname; echo "$2 $1" >> /etc/hosts
[ -n "$3" ] || exit 0
useradd --create-home --shell /bin/bash "$3"
echo "$3 ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/cloud
install --directory --mode=700 --owner="$3" --group="$3" "/home/$3/.ssh"
cat > "/home/$3/.ssh/authorized_keys.new"
chown "$3:$3" "/home/$3/.ssh/authorized_keys.new"
mv "/home/$3/.ssh/authorized_keys.new" "/home/$3/.ssh/authorized_keys"
"""


@dataclass(frozen=True, slots=True)
class Login:
    """Who may log in to a machine: the user that its cloud makes, with this public key. Empty: nobody."""

    user: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Wire:
    """Where a machine is reached: from the runner, and from its neighbours."""

    outer: str
    inner: str


class Machines(Protocol):
    """What a fake has its machines made by. No method waits: a machine answers some time after it was made."""

    def boot(self, name: str, login: Login) -> Wire:
        """Begin to boot a machine."""

    def end(self, name: str) -> None:
        """Begin to take a machine away. One that is not there is fine."""

    def console(self, name: str) -> str:
        """Return what a machine wrote to its serial console."""


class OnlyAddresses:
    """Machines that nobody can reach."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def boot(self, name: str, login: Login) -> Wire:
        """Give the next addresses."""
        number = next(self._numbers) % 250 + 1
        return Wire(f"192.0.2.{number}", f"10.0.0.{number}")

    def end(self, name: str) -> None:
        """Nothing is there."""

    def console(self, name: str) -> str:
        """Say what a machine that boots says."""
        return f"[    0.000000] Linux version of {name}\n"


class LabMachines:
    """Machines that are hosts of a lab, one behind the other: a lab does one thing at a time."""

    def __init__(self, lab: Lab, worker: ThreadPoolExecutor) -> None:
        self.failures: list[str] = []
        self._lab = lab
        self._worker = worker
        self._hosts: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def boot(self, name: str, login: Login) -> Wire:
        """Begin to boot a host with an empty disk; whom it lets in is arranged as soon as it answers."""
        host = self._hosts[name] = f"v{next(self._numbers)}"
        address = str(self._lab.address(host))
        self._worker.submit(self._noted, lambda: self._boot(name, host, login))
        return Wire(address, address)

    def end(self, name: str) -> None:
        """Begin to take the power from a host for good."""
        if host := self._hosts.pop(name, ""):
            self._worker.submit(self._noted, lambda: self._lab.remove(host))

    def console(self, name: str) -> str:
        """Return the end of what a host wrote."""
        host = self._hosts.get(name)
        return tail(self._lab.place(host).console) if host else ""

    def _boot(self, name: str, host: str, login: Login) -> None:
        (made,) = self._lab.add(host)
        words = shlex.join(["sh", "-c", _AGENT, "agent", name, made.address, login.user])
        self._lab.run(host, words, stdin=f"{login.public_key}\n".encode())

    def _noted(self, step: Callable[[], object]) -> None:
        try:
            step()
        except HarnessError as error:
            self.failures.append(str(error))


@contextmanager
def lab_machines(lab: Lab) -> Iterator[LabMachines]:
    """Give machines of a lab. What a host could not do is an error, and so is a host that is left: ProviderError."""
    others = {host.name for host in lab.hosts}  # a session's shared ones
    with ThreadPoolExecutor(1, "lab machines") as worker:
        machines = LabMachines(lab, worker)
        yield machines
    if wrong := machines.failures or [f"{host.name} is left" for host in lab.hosts if host.name not in others]:
        raise ProviderError(f"hosts of the cloud: {'; '.join(wrong)}")
