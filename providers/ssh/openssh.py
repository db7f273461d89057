"""What the system's ``ssh`` needs to reach the machines of a run as we do: a configuration, and the keys they may show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from providers.ssh.access import Access, Endpoint, KeyFile
from providers.ssh.hostkeys import HostKeys, pin_line
from upload.errors import UsageError

if TYPE_CHECKING:
    from providers.contracts import Machine

_JUMP = "_jump"  # no machine's name has an underscore
# a machine's key never asks for anything, and neither do we
_FOR_ALL = (
    "StrictHostKeyChecking yes",
    "GlobalKnownHostsFile /dev/null",
    "PreferredAuthentications publickey",
    "IdentitiesOnly {only}",
    "ServerAliveInterval 10",
    "ConnectTimeout 20",
)


def client_config(access: Access, machines: Sequence[Machine], known_hosts: Path) -> str:
    """Return the text for ``ssh -F``: each machine under its name. Keys of an agent are those of ``SSH_AUTH_SOCK``.

    Raises: UsageError for a path that such a file cannot hold.
    """
    is_file = isinstance(access.identity, KeyFile)
    lines = ["Host *", *(f"  {line.format(only='yes' if is_file else 'no')}" for line in _FOR_ALL)]
    lines.append(f"  UserKnownHostsFile {_path(known_hosts)}")
    if isinstance(access.identity, KeyFile):
        lines.append(f"  IdentityFile {_path(access.identity.path)}")
    if access.jump:
        lines.extend(_host(_JUMP, access.jump.endpoint, access.jump.user))
    for machine in machines:
        lines.extend(_host(machine.name, machine.endpoint, access.user))
        if access.jump:
            lines.append(f"  ProxyJump {_JUMP}")
    return "".join(f"{line}\n" for line in lines)


def expected_keys(pins: HostKeys, endpoints: Iterable[Endpoint]) -> str:
    """Return the text of a known_hosts file: the one key that each endpoint may show, given or pinned.

    An endpoint that was never reached has none. Raises: as ``HostKeys.expected``.
    """
    keys = {endpoint: pins.expected(endpoint) for endpoint in endpoints}
    return "".join(pin_line(endpoint, key) for endpoint, key in keys.items() if key)


def _host(name: str, endpoint: Endpoint, user: str) -> list[str]:
    return [f"Host {name}", f"  HostName {endpoint.host}", f"  Port {endpoint.port}", f"  User {user}"]


def _path(path: Path) -> str:
    text = str(path)
    if not text.isprintable() or '"' in text or "\\" in text:
        raise UsageError(f"ssh cannot use the path {text!r}", hint="export E2E_STATE_DIR=/a/plain/folder")
    return f'"{text.replace("%", "%%")}"'
