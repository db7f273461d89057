"""A command that runs on a machine: its input is sent, its output read, its end judged. Lives on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from providers.contracts import Deadline
from providers.ssh.command import TIMED_OUT, Tail
from providers.ssh.failures import lost_error
from upload.errors import CommandError, DeadlineExceeded, HarnessError, ProviderError

CHUNK_BYTES = 256 * 1024
KEPT_STDERR_BYTES = 256 * 1024
GRACE_S = 2.0  # for the word that the machine ended a command in time
_KILLED = 128 + 9


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. ``ends_at``: of the event loop's clock."""

    node: str
    argv: tuple[str, ...]
    deadline: Deadline
    ends_at: float

    @property
    def program(self) -> str:
        """The first word, for messages."""
        return self.argv[0]

    def too_late(self, tail: str) -> DeadlineExceeded:
        """Return the error for a missed deadline."""
        what = f"{self.deadline.what}: {self.program} on {self.node}"
        return DeadlineExceeded(what, self.deadline.total_s, output_tail=tail)


class Running:
    """A started command. ``read`` until it returns nothing, then it has succeeded; ``end`` in any case."""

    def __init__(
        self,
        order: Order,
        process: asyncssh.SSHClientProcess[bytes],
        source: Iterator[bytes],
        on_end: Callable[[], None],
    ) -> None:
        self._order = order
        self._process = process
        self._tail = Tail()
        self._stderr = b""
        self._failure: HarnessError | None = None
        self._on_end = on_end
        self._tasks = (asyncio.create_task(self._feed(source)), asyncio.create_task(self._listen()))

    @property
    def stderr(self) -> bytes:
        """What came on stderr, its last 256 KiB."""
        return self._stderr

    async def read(self) -> bytes:
        """Return the next bytes of stdout; none at the end. Raises as ``Node.run`` does."""
        limit = asyncio.timeout_at(self._order.ends_at + GRACE_S)
        try:
            async with limit:
                chunk = await self._process.stdout.read(CHUNK_BYTES)
                self._tail.add(chunk)
                if not chunk:
                    await asyncio.gather(*self._tasks)
                    await self._process.wait_closed()
        except (asyncssh.Error, OSError) as exc:  # a connection may time out, too
            raise (self._order.too_late(self._tail.text()) if limit.expired() else self._lost(exc)) from exc
        if not chunk:
            self._judge()
        return chunk

    def end(self) -> None:
        """Hang up on the command, if it still runs. Call it once."""
        for task in self._tasks:
            task.cancel()
        self._process.close()
        self._on_end()

    def _judge(self) -> None:
        code = self._process.returncode
        if self._failure:
            raise self._failure
        if code is None:
            raise self._lost(None)
        if code == 0:
            return
        tail = self._tail.text()
        if code in (TIMED_OUT, _KILLED) and asyncio.get_running_loop().time() >= self._order.ends_at:
            raise self._order.too_late(tail)
        raise CommandError(self._order.argv, code, tail, node=self._order.node)

    def _lost(self, cause: Exception | None) -> ProviderError:
        said = str(cause) if cause else "it was closed"
        return lost_error(self._order.node, self._order.program, said, self._tail.text())

    async def _listen(self) -> None:
        with contextlib.suppress(asyncssh.Error, OSError):  # the reader of stdout hears of it, too
            while chunk := await self._process.stderr.read(CHUNK_BYTES):
                self._tail.add(chunk)
                self._stderr = (self._stderr + chunk)[-KEPT_STDERR_BYTES:]

    async def _feed(self, source: Iterator[bytes]) -> None:
        try:
            for chunk in source:
                self._process.stdin.write(chunk)
                await self._process.stdin.drain()
            self._process.stdin.write_eof()
        except HarnessError as error:  # the source broke: the command must not take what came for the whole
            self._failure = error
            self._process.close()
        except (asyncssh.Error, OSError):
            return  # it reads no more, which is its right; a lost connection shows at stdout


def chunks_of(source: bytes | Path) -> Iterator[bytes]:
    """Yield the input of a command in pieces. Raises: ProviderError for a file that cannot be read."""
    if isinstance(source, bytes):
        yield from [source] if source else []
        return
    try:
        with source.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                yield piece
    except OSError as exc:
        raise ProviderError(f"{source}: {exc.strerror or exc}") from exc
