"""The keys that machines showed first, in a file of the run: another key later is another machine.

The file has the form of OpenSSH's known_hosts, so that a person's ``ssh -o UserKnownHostsFile=`` can use it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from providers.ssh.access import Endpoint
from upload.errors import ProviderError, UsageError

if TYPE_CHECKING:
    import asyncssh

PRIVATE = 0o600
_FIELDS = 3


def parse_pins(text: str) -> dict[str, str]:
    """Return pin name -> public key (type and base64) of a file that ``pin_line`` wrote. Raises: ValueError."""
    pins = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split(" ")
        if len(fields) != _FIELDS:
            raise ValueError(f"line {number} is not 'host type key'")
        pins[fields[0]] = f"{fields[1]} {fields[2]}"
    return pins


def pin_line(endpoint: Endpoint, key: str) -> str:
    """Return the line that pins ``key`` (type and base64) to an endpoint."""
    return f"{endpoint.pin_name} {key}\n"


class HostKeys:
    """The keys that are trusted: those given with an endpoint, else those pinned in the file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def expected(self, endpoint: Endpoint) -> str:
        """Return the only key that this endpoint may show, or nothing if it was never seen.

        Raises: UsageError for a given key that is none; ProviderError when the file cannot be read.
        """
        if endpoint.host_key:
            return normal_key(endpoint.host_key, f"host key of {endpoint}")
        return self._read().get(endpoint.pin_name, "")

    def accept(self, endpoint: Endpoint, shown: asyncssh.SSHKey) -> bool:
        """Say whether an endpoint may show this key; the first key of one that is not known yet is pinned."""
        key = public_text(shown)
        known = self.expected(endpoint)
        if not known:
            known = self._pin(endpoint, key)
        return known == key

    def _pin(self, endpoint: Endpoint, key: str) -> str:
        try:
            with os.fdopen(os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, PRIVATE), "a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # two commands of one run may meet the machine at the same time
                first = self._read().get(endpoint.pin_name)
                if first is None:
                    file.write(pin_line(endpoint, key))
        except OSError as exc:
            raise ProviderError(f"{self.file}: {exc.strerror or exc}") from exc
        return first or key

    def _read(self) -> dict[str, str]:
        try:
            return parse_pins(self.file.read_text(encoding="ascii"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:
            raise ProviderError(f"{self.file}: {exc}") from exc


def public_text(key: asyncssh.SSHKey) -> str:
    """Return a public key as ``type base64``, without its comment."""
    return " ".join(key.export_public_key().decode("ascii").split()[:2])


def normal_key(text: str, what: str) -> str:
    """Return a public key that a person wrote, without its comment. Raises: UsageError."""
    import asyncssh

    try:
        return public_text(asyncssh.import_public_key(text))
    except (asyncssh.KeyImportError, ValueError) as exc:
        raise UsageError(f"{what}: not a public key such as 'ssh-ed25519 AAAA…'", hint="ssh-keyscan HOST") from exc
