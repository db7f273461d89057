"""Private keys: those of a file or an agent, and one made for a run and deleted after it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from providers.ssh.access import Agent, KeyFile
from upload.errors import ProviderError, UsageError

if TYPE_CHECKING:
    import asyncssh

_OWNER_ONLY = 0o600


def make_key(path: Path, comment: str) -> KeyFile:
    """Return a new ed25519 key in ``path``, readable by its owner only; one that an earlier call made is kept."""
    import asyncssh

    if path.exists():
        return KeyFile(path)
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    half = path.with_name(f".{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
        file.write(key.export_private_key())
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
    return KeyFile(path)


def public_key(identity: KeyFile) -> str:
    """Return the line for an authorized_keys file. Raises: UsageError as ``load_key`` does."""
    return load_key(identity).export_public_key().decode("ascii").strip()


def delete_key(identity: KeyFile) -> None:
    """Delete a key made for a run. Nothing there is success."""
    identity.path.unlink(missing_ok=True)


def load_key(identity: KeyFile) -> asyncssh.SSHKey:
    """Return the private key of a file. Raises: UsageError saying what to do."""
    import asyncssh

    try:
        return asyncssh.read_private_key(identity.path)
    except OSError as exc:
        raise UsageError(f"{identity}: {exc.strerror or exc}", hint=f"ls -l {identity.path}") from exc
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as exc:
        if "passphrase" in str(exc).lower():
            what = f"{identity} has a passphrase, which nobody can type here"
            raise UsageError(what, hint=f"ssh-add {identity.path}, and use the agent") from exc
        raise UsageError(f"{identity} is no private key: {exc}", hint=f"ssh-keygen -y -f {identity.path}") from exc


async def agent_keys(identity: Agent, *, within_s: float) -> tuple[asyncssh.SSHAgentClient, list[asyncssh.SSHKeyPair]]:
    """Return an agent, to be closed after the login, and the keys it holds. Raises: UsageError, ProviderError."""
    import asyncssh

    try:
        async with asyncio.timeout(within_s):
            agent = await asyncssh.connect_agent(str(identity.socket))
    except OSError as exc:
        raise UsageError(
            f"the SSH agent {identity.socket} does not answer: {exc.strerror or exc}",
            hint="eval $(ssh-agent) && ssh-add",
        ) from exc
    try:
        async with asyncio.timeout(within_s):
            keys = list(await agent.get_keys())
    except (ValueError, TimeoutError) as exc:
        agent.close()
        why = f"it says nothing for {within_s:g} s" if isinstance(exc, TimeoutError) else exc
        raise ProviderError(
            f"the SSH agent {identity.socket} does not show its keys: {why}", hint="ssh-add -l"
        ) from exc
    if not keys:
        agent.close()
        raise UsageError(f"the SSH agent {identity.socket} holds no key", hint="ssh-add")
    return agent, keys
