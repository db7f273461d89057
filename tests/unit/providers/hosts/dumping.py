"""A machine that prints what a test wants as its dump, in whatever pieces, and may break off."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from providers.contracts import Deadline
from providers.testing import FakeNode


@dataclass(slots=True)
class DumpingNode(FakeNode):
    """``says``: pieces of stdout, asked for one by one; ``failure``: raised behind them."""

    says: Iterable[bytes] = ()
    failure: Exception | None = None
    argv: list[tuple[str, ...]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    hung_up: bool = False

    @contextmanager
    def stream(
        self, argv: Sequence[str], *, deadline: Deadline, stdin: bytes | Path = b""
    ) -> Iterator[Iterator[bytes]]:
        """Say it."""
        del stdin
        self.argv.append(tuple(argv))
        self.deadlines.append(deadline.remaining_s())
        deadline.check()
        try:
            yield self._pieces()
        finally:
            self.hung_up = True

    def _pieces(self) -> Iterator[bytes]:
        yield from self.says
        if self.failure:
            raise self.failure


def part(name: bytes, content: bytes, *, code: str = "0", total: int | None = None) -> bytes:
    """Return what dump.sh prints of one file; ``content`` without newlines, or ready to be sent."""
    lines = b" " + content if content else b""
    size = len(content) if total is None else total
    return b"== %s\n%s\n== end %s %d\n" % (base64.b64encode(name), lines, code.encode(), size)
