"""Reads what ``dump.sh`` prints, piece by piece, so that memory stays flat. Pure; the machine is not trusted.

A part is a line ``== NAME``, its content with a blank before each line, a newline, a line ``== end CODE BYTES``. Content
begins no line with ``==``, so nothing in it can end it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST_LINE = 16 * 1024  # a path has 4,096 bytes at most, and base64 makes a third more of it
_MARK = b"== "
_FENCE = b"\n== end "
_END = re.compile(rb"(?P<code>[0-9]{1,3}|skipped) (?P<total>[0-9]{1,18})")
_MORE = re.compile(rb"more (?P<count>[0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Begin:
    """A part begins; its bytes and its ``End`` follow. ``name``: a relative path, as hostile as any."""

    name: bytes


@dataclass(frozen=True, slots=True)
class End:
    """A part ends. ``code``: how its command ended, None if it was left out; ``total_bytes``: of the whole."""

    code: int | None
    total_bytes: int


@dataclass(frozen=True, slots=True)
class More:
    """So many files were not looked at."""

    count: int


def sections(chunks: Iterable[bytes]) -> Iterator[Begin | bytes | End | More]:
    """Yield what the chunks hold: for each part its beginning, its bytes in pieces, its end.

    Chunks that stop in the middle of a part stop this, too. Raises: ValueError for what no dump.sh prints.
    """
    reader = _Reader(chunks)
    while (line := reader.line()) is not None:
        if not line.startswith(_MARK):
            raise ValueError(f"a part was expected, not {line[:40]!r}")
        if more := _MORE.fullmatch(line, len(_MARK)):
            yield More(int(more["count"]))
            continue
        yield Begin(_name(line.removeprefix(_MARK)))
        yield from reader.content()
        if (line := reader.line()) is None:
            return
        if not (end := _END.fullmatch(line)):
            raise ValueError(f"the end of a part was expected, not {line[:40]!r}")
        yield End(None if end["code"] == b"skipped" else int(end["code"]), int(end["total"]))


def _name(encoded: bytes) -> bytes:
    try:
        name = base64.b64decode(encoded, validate=True)
    except binascii.Error as exc:
        raise ValueError(f"a name was expected, not {encoded[:40]!r}") from exc
    if not name:
        raise ValueError("a part has no name")
    return name


class _Reader:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""

    def line(self) -> bytes | None:
        """Return the next line without its end, None when there is none, whole."""
        while (place := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise ValueError("a line has no end")
            if not self._fill():
                return None
        line, self._buffer = self._buffer[:place], self._buffer[place + 1 :]
        return line

    def content(self) -> Iterator[bytes]:
        """Yield the content up to its fence, without the blanks; what follows the fence is the next line."""
        self._buffer = b"\n" + self._buffer  # so that the first line is as the others; it is no content
        is_first = True
        place = -1
        while place < 0:
            place = self._buffer.find(_FENCE)
            ready = place if place >= 0 else self._ready()
            piece, self._buffer = self._buffer[:ready].replace(b"\n ", b"\n"), self._buffer[ready:]
            if piece and is_first:
                piece, is_first = piece[1:], False
            if piece:
                yield piece
            if place < 0 and not self._fill():
                self._buffer = b""
                return
        self._buffer = self._buffer[len(_FENCE) :]

    def _ready(self) -> int:
        """Return how much of the buffer neither holds a part of the fence nor a newline apart from its blank."""
        ready = max(0, len(self._buffer) - len(_FENCE) + 1)
        return ready - 1 if self._buffer[:ready].endswith(b"\n") else ready

    def _fill(self) -> bool:
        chunk = next(self._chunks, None)
        self._buffer += chunk or b""
        return chunk is not None
