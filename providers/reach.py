"""The machines of a cluster from any process: who logs in how, in a private file of the run, and the nodes it opens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers._private import write_private
from providers.contracts import Machine, Node
from providers.ssh.access import Access, Agent, Endpoint, Jump, KeyFile, given_agent, given_key
from upload.errors import ProviderError

MACHINES = "machines.json"
KNOWN_HOSTS = "known_hosts"
SUDO_PASSWORD = "E2E_SUDO_PASSWORD"  # noqa: S105  # the name of a variable


@dataclass(frozen=True, slots=True)
class Reach:
    """All machines of a cluster and what opens them. The password of sudo is never written: it comes anew each time."""

    access: Access
    machines: tuple[Machine, ...]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values without the password; ``from_json`` is the inverse."""
        identity, jump = self.access.identity, self.access.jump
        return {
            "user": self.access.user,
            "key": str(identity.path) if isinstance(identity, KeyFile) else None,
            "agent": str(identity.socket) if isinstance(identity, Agent) else None,
            "jump": {"user": jump.user, **_endpoint_json(jump.endpoint)} if jump else None,
            "machines": [
                {"name": m.name, "role": m.role, "addresses": list(m.addresses), **_endpoint_json(m.endpoint)}
                for m in self.machines
            ],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any], variables: Mapping[str, str], folder: Path) -> Reach:
        """Return what ``to_json`` described; the password comes from ``variables``, and a key that is given there now.

        A key in ``folder`` was made for the run: no other one opens its machines. Raises: KeyError, TypeError.
        """
        jump = told["jump"]
        # an agent of now is another socket of the same keys; it is no answer where a key file opened the machines
        known = KeyFile(Path(told["key"])) if told["key"] else given_agent(variables) or Agent(Path(told["agent"]))
        access = Access(
            user=told["user"],
            identity=known if _is_made(known, folder) else given_key(variables) or known,
            jump=Jump(_endpoint(jump), jump["user"]) if jump else None,
            sudo_password=variables.get(SUDO_PASSWORD, ""),
        )
        machines = (
            Machine(each["name"], each["role"], _endpoint(each), tuple(each["addresses"])) for each in told["machines"]
        )
        return cls(access, tuple(machines))


def write_reach(folder: Path, reach: Reach) -> Path:
    """Write the file into a private folder, whole or not at all, and return its path."""
    return write_private(folder / MACHINES, reach.to_json())


def read_reach(path: Path, variables: Mapping[str, str]) -> Reach:
    """Return what ``write_reach`` wrote. Raises: ProviderError when it cannot be read."""
    try:
        return Reach.from_json(json.loads(path.read_text(encoding="utf-8")), variables, path.parent)
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise ProviderError(f"{path} does not tell how machines are reached: {exc}") from exc


@contextmanager
def connected(known: Reach, *, run: str, folder: Path) -> Iterator[tuple[Node, ...]]:
    """Give the machines as nodes, in their order; ``folder``: where the host keys of the run are pinned.

    Connects when a node is first used, and hangs up at the end.
    """
    from providers.ssh.session import Ssh

    with Ssh(known.access, pins=folder / KNOWN_HOSTS, run=run) as ssh:
        yield tuple(
            ssh.node(machine.name, machine.role, machine.endpoint, machine.addresses) for machine in known.machines
        )


def _is_made(identity: KeyFile | Agent, folder: Path) -> bool:
    return isinstance(identity, KeyFile) and identity.path.parent == folder


def _endpoint_json(endpoint: Endpoint) -> dict[str, Any]:
    return {"host": endpoint.host, "port": endpoint.port, "host_key": endpoint.host_key}


def _endpoint(told: Mapping[str, Any]) -> Endpoint:
    return Endpoint(told["host"], told["port"], told["host_key"])
