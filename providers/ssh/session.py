"""Opens machines: the one thing to start with. ``with Ssh(access, …) as ssh: node = ssh.node("w1", …)``."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Self

from providers.contracts import Role
from providers.ssh.access import Access, Endpoint, Jump, Patience
from providers.ssh.command import Mark
from providers.ssh.hostkeys import HostKeys
from providers.ssh.link import Link, Target
from providers.ssh.loop import Calls, LoopThread
from providers.ssh.node import SshNode
from providers.ssh.shell import Shell


class Ssh:
    """All machines of one cluster: one event loop, one connection each, and one to the jump host if there is one.

    ``pins``: the file of the run that remembers host keys; every process on a machine carries ``run`` and ``session``.
    Opens nothing before the first command.
    """

    def __init__(
        self, access: Access, *, pins: Path, run: str, session: str = "", patience: Patience | None = None
    ) -> None:
        self._access = access
        self._mark = Mark(run, session or secrets.token_hex(8))
        self._patience = patience or Patience()
        self._keys = HostKeys(pins)
        self._loop = LoopThread()
        self._jump = self._jump_link(access.jump) if access.jump else None
        self._links: list[Link] = [self._jump] if self._jump else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def node(self, name: str, role: Role, endpoint: Endpoint, addresses: tuple[str, ...] = ()) -> SshNode:
        """Return a machine. ``addresses``: those at which other nodes reach it, if not the endpoint's."""
        link = Link(Target(name, endpoint, self._access, self._patience), self._keys, self._jump)
        self._links.append(link)
        return SshNode(name, role, addresses or (endpoint.host,), Shell(link, self._mark), Calls(self._loop))

    def close(self) -> None:
        """Break off what runs and hang up everywhere. Closing twice is fine."""
        self._loop.close(self._hang_up)

    async def _hang_up(self) -> None:
        for link in reversed(self._links):
            link.close()
        await asyncio.sleep(0)  # the library says goodbye in the loop's next turn

    def _jump_link(self, jump: Jump) -> Link:
        access = replace(self._access, user=jump.user, jump=None, sudo_password="")
        return Link(Target(f"jump host {jump.endpoint}", jump.endpoint, access, self._patience), self._keys)
