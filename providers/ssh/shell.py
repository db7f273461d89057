"""Commands as root over one link: by the login itself, or by sudo. Lives on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence

import asyncssh

from providers.contracts import Deadline
from providers.ssh.command import Mark, before_stdin, remote_line
from providers.ssh.failures import lost_error
from providers.ssh.link import Link
from providers.ssh.running import Order, Running
from providers.wording import visible
from upload.errors import NodeUnreachable

_READY = "ready"
# a session ends on the machine a moment after we are told so; a person's own ones count, too
_PAUSE_S = 0.2


class Shell:
    """Starts commands on a machine."""

    def __init__(self, link: Link, mark: Mark) -> None:
        self._link = link
        self._mark = mark
        self._access = link.target.access
        self._proven: asyncssh.SSHClientConnection | None = None
        self._proving = asyncio.Lock()

    async def start(self, argv: Sequence[str], deadline: Deadline, source: Iterator[bytes]) -> Running:
        """Start a command. Raises: NodeUnreachable, UsageError, DeadlineExceeded when there is no time to start it."""
        ends_at = asyncio.get_running_loop().time() + deadline.remaining_s()
        order = Order(self._link.target.name, tuple(argv), deadline, ends_at)
        sessions = self._link.sessions
        try:
            async with asyncio.timeout_at(ends_at):
                await sessions.acquire()
        except TimeoutError as exc:
            raise order.too_late("") from exc
        try:
            process = await self._open(order)
        except BaseException:
            sessions.release()
            raise
        return Running(order, process, itertools.chain(self._password(), source), sessions.release)

    async def _open(self, order: Order) -> asyncssh.SSHClientProcess[bytes]:
        limit = asyncio.timeout_at(order.ends_at)
        try:
            async with limit:
                give_up = asyncio.get_running_loop().time() + self._link.target.patience.connect_s
                while asyncio.get_running_loop().time() < give_up:
                    with contextlib.suppress(asyncssh.ChannelOpenError):  # then nothing was run
                        return await self._session(order)
                    await asyncio.sleep(_PAUSE_S)
                return await self._session(order)
        except asyncssh.ChannelOpenError as exc:
            what = f"the SSH server starts no command: {visible(exc.reason, 200)}"
            raise self._unreachable("busy", what, "sshd -T | grep -i maxsessions   (on the machine)") from exc
        except (asyncssh.Error, OSError) as exc:  # a connection may time out, too
            lost = lost_error(order.node, order.program, str(exc), "")
            raise (order.too_late("") if limit.expired() else lost) from exc

    async def _session(self, order: Order) -> asyncssh.SSHClientProcess[bytes]:
        connection = await self._link.connection()
        async with self._proving:
            if self._proven is not connection:
                await self._prove(connection)
                self._proven = connection
        line = self._line(order.argv, order.ends_at - asyncio.get_running_loop().time())
        return await connection.create_process(line, encoding=None)

    def _line(self, argv: Sequence[str], seconds: float) -> str:
        sudo = self._access.user != "root"
        return remote_line(argv, seconds=seconds, mark=self._mark, sudo=sudo, password=bool(self._access.sudo_password))

    def _password(self) -> list[bytes]:
        asked = self._access.user != "root" and self._access.sudo_password
        return [before_stdin(self._access.sudo_password)] if asked else []

    async def _prove(self, connection: asyncssh.SSHClientConnection) -> None:
        """Find out, once a connection, that commands run as root and that nothing else talks on their stdout.

        Before any command: what one reads from stdin must not end as a guess at a password.
        """
        patience_s = self._link.target.patience.connect_s
        line = self._line(("printf", _READY), patience_s)
        tried = await connection.run(line, input=b"".join(self._password()), encoding=None)
        said, complaint = _text(tried.stdout), _text(tried.stderr)
        if tried.returncode is None:
            raise asyncssh.ConnectionLost("it was closed")
        if tried.returncode != 0:
            raise self._not_root(complaint or said)
        if said != _READY:
            raise self._unreachable(
                "talks", f"the shell says {visible(said.removesuffix(_READY))} before a command says anything",
                f"remove what prints from the shell's start files of {self._access.user}",
            )  # fmt: skip

    def _not_root(self, said: str) -> NodeUnreachable:
        user = self._access.user
        last = visible((said.strip().splitlines() or ["it says nothing"])[-1], 200)
        if user == "root":
            return self._unreachable(
                "no-root", f"no command runs as root: {last}", "getent passwd root   (on the machine)"
            )
        how = "with the given password" if self._access.sudo_password else "without a password"
        hint = f"sudo -l -U {user}   (on the machine); give the password, or allow NOPASSWD in /etc/sudoers.d"
        return self._unreachable("no-root", f"{user} cannot become root by sudo {how}: {last}", hint)

    def _unreachable(self, reason: str, message: str, hint: str) -> NodeUnreachable:
        return NodeUnreachable(self._link.target.name, reason, message, hint=hint)


def _text(output: object) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else ""
