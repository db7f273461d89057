"""How machines are reached: address, user, key, host key, jump host, sudo. Values only; opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SSH_PORT = 22
KEY = "E2E_SSH_IDENTITY"  # variables that name a key file, and the socket of an agent
AGENT = "SSH_AUTH_SOCK"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an SSH server listens. ``host``: a name, an IPv4 or an IPv6 address without brackets.

    ``host_key``: its public key, ``ssh-ed25519 AAAA…``, where it is known beforehand; empty: pinned on first use.
    """

    host: str
    port: int = SSH_PORT
    host_key: str = ""

    def __str__(self) -> str:
        """Return the endpoint as a person writes it: the port only where it is not 22."""
        if self.port == SSH_PORT:
            return self.host
        return f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host, an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def pin_name(self) -> str:
        """The name under which known_hosts files hold its key."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key without a passphrase in a file."""

    path: Path

    def __str__(self) -> str:
        """Return how messages call it."""
        return f"the key {self.path}"


@dataclass(frozen=True, slots=True)
class Agent:
    """The keys that an SSH agent holds. ``socket``: where it listens."""

    socket: Path

    def __str__(self) -> str:
        """Return how messages call it."""
        return f"a key of the agent {self.socket}"


def given_key(variables: Mapping[str, str]) -> KeyFile | None:
    """Return the key file that the environment names."""
    key = variables.get(KEY, "")
    return KeyFile(Path(key).expanduser().absolute()) if key else None


def given_agent(variables: Mapping[str, str]) -> Agent | None:
    """Return the agent that the environment names."""
    socket = variables.get(AGENT, "")
    return Agent(Path(socket)) if socket else None


@dataclass(frozen=True, slots=True)
class Jump:
    """The machine through which the others are reached, with the same key."""

    endpoint: Endpoint
    user: str

    def __str__(self) -> str:
        """Return how messages call it."""
        return f"jump host {self.user}@{self.endpoint}"


@dataclass(frozen=True, slots=True)
class Access:
    """What opens machines. ``sudo_password``: for a user other than root who needs one; it goes to stdin only."""

    user: str
    identity: KeyFile | Agent
    jump: Jump | None = None
    sudo_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long silence is borne, in seconds: until a login, and in between (``keepalive_s`` times ``misses`` + 1)."""

    connect_s: float = 20.0
    keepalive_s: float = 10.0
    misses: int = 3
