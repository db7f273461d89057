"""One connection to a machine, made when first needed, shared by all commands, and made again when it was lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import asyncssh

from providers.ssh.access import Access, Agent, Endpoint, Patience
from providers.ssh.failures import Attempt, Stage, connect_error
from providers.ssh.hostkeys import HostKeys
from providers.ssh.keys import agent_keys, load_key
from upload.errors import HarnessError

SESSIONS = 8  # sshd refuses an eleventh (MaxSessions 10), and a person may be looking, too
# algorithm -> the type of its keys; no certificates: nobody says which authority to trust
_HOST_KEYS = {
    **{name: name for name in ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")},
    **dict.fromkeys(("rsa-sha2-512", "rsa-sha2-256"), "ssh-rsa"),
}
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"  # images are large: 1.6 times as fast as the usual first


class _Watch(asyncssh.SSHClient):
    """Notes how far the connection has come, and judges the host's key."""

    def __init__(self, endpoint: Endpoint, keys: HostKeys) -> None:
        self.stage = Stage.CONNECT
        self.failure: HarnessError | None = None
        self._endpoint = endpoint
        self._keys = keys

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.stage = Stage.GREET

    def begin_auth(self, username: str) -> None:
        self.stage = Stage.LOGIN

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        try:
            return self._keys.accept(self._endpoint, key)
        except HarnessError as error:
            self.failure = error
            return False


@dataclass(frozen=True, slots=True)
class Target:
    """A machine and how it is entered. ``name``: for messages."""

    name: str
    endpoint: Endpoint
    access: Access
    patience: Patience


class Link:
    """A machine's connection, through that of ``tunnel`` if given. Lives on the event loop, not for other threads."""

    def __init__(self, target: Target, keys: HostKeys, tunnel: Link | None = None) -> None:
        self.target = target
        self.sessions = asyncio.Semaphore(SESSIONS)
        self._keys = keys
        self._tunnel = tunnel
        self._lock = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None

    async def connection(self) -> asyncssh.SSHClientConnection:
        """Return the living connection, made if needed. Raises: NodeUnreachable, UsageError."""
        async with self._lock:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            return self._connection

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def _connect(self) -> asyncssh.SSHClientConnection:
        target = self.target
        watch = _Watch(target.endpoint, self._keys)
        identity = target.access.identity
        agent = None
        try:
            keys: list[Any] = []
            if isinstance(identity, Agent):
                agent, keys = await agent_keys(identity, within_s=target.patience.connect_s)
            else:
                keys = [load_key(identity)]
            tunnel = await self._tunnel.connection() if self._tunnel else None
            async with asyncio.timeout(target.patience.connect_s):
                return await self._open(watch, keys, tunnel)
        except (asyncssh.Error, OSError, ValueError) as exc:
            raise (watch.failure or connect_error(exc, watch.stage, self._attempt())) from exc
        finally:
            if agent is not None:
                agent.close()

    async def _open(
        self, watch: _Watch, keys: list[Any], tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        target = self.target
        expected = self._keys.expected(target.endpoint)
        return await asyncssh.connect(
            target.endpoint.host,
            target.endpoint.port,
            tunnel=tunnel or (),
            client_factory=lambda: watch,
            username=target.access.user,
            client_keys=keys,
            agent_path=None,  # one source of keys: six refused ones end a login
            # the files of the person who runs us are not read: a run behaves alike for everybody
            config=None,
            known_hosts=lambda *_: ([], [], []),  # so that every key is shown to the client above
            server_host_key_algs=host_key_algorithms(expected),
            x509_trusted_certs=None,
            gss_host=None,
            encryption_algs=_CIPHERS,
            preferred_auth="publickey",
            login_timeout=0,  # the timeout around all of it counts
            keepalive_interval=target.patience.keepalive_s,
            keepalive_count_max=target.patience.misses,
            connect_timeout=None,
        )

    def _attempt(self) -> Attempt:
        target = self.target
        via = str(target.access.jump) if self._tunnel and target.access.jump else ""
        return Attempt(target.name, target.endpoint, target.access, target.patience, str(self._keys.file), via)


def host_key_algorithms(expected: str) -> list[str]:
    """Return the algorithms of host keys in our order, those first whose keys are of the type of ``expected``."""
    return sorted(_HOST_KEYS, key=lambda algorithm: _HOST_KEYS[algorithm] != expected.partition(" ")[0])
