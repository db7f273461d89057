"""Text of any length in bounded memory: what is too long loses its middle."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

LONGEST_TEXT = 4_000_000
"""Characters of one text that are kept: fifty thousand lines. The whole report is published as it was."""
LONGEST_WORD = 8192
"""Longer than any token or key of the clouds."""

_FIRST_WORD, _LAST_WORD = re.compile(r"\A\S+"), re.compile(r"(?<!\S)\S+\Z")


class LongText:
    """Gathers a text piece by piece. Of more than ``limit`` characters the two ends are kept.

    ``censor`` is given the ends of a text that is cut, and what lies behind the cut, before it is left out: half a secret
    would not be found any more. It must not change the length. The rest is the caller's to censor.
    """

    __slots__ = ("_censor", "_half", "_head", "_head_size", "_held", "_tail", "_tail_size", "size")

    def __init__(self, limit: int = LONGEST_TEXT, censor: Callable[[str], str] = str) -> None:
        self._censor = censor
        self._half = limit // 2
        self._held = self._half + LONGEST_WORD  # of each end
        self._head: list[str] = []
        self._head_size = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self.size = 0

    @property
    def is_cut(self) -> bool:
        """Say whether something is left out."""
        return self.size > 2 * self._half

    @property
    def kept(self) -> int:
        """Return how many characters are held."""
        return self._head_size + self._tail_size

    def append(self, piece: str) -> None:
        """Put a piece behind the others."""
        self.size += len(piece)
        room = self._held - self._head_size
        if len(piece) <= room:
            self._head.append(piece)
            self._head_size += len(piece)
            return
        if room:
            self._head.append(piece[:room])
            self._head_size = self._held
            piece = piece[room:]
        self._tail.append(piece[-self._held :])
        self._tail_size += len(self._tail[-1])
        while self._tail_size - len(self._tail[0]) >= self._held and len(self._tail) > 1:
            self._tail_size -= len(self._tail.popleft())

    def text(self) -> str:
        """Return the text, or its two ends and between them how many characters are left out.

        The words on both sides of the cut are left out too, whatever they are.
        """
        head, tail = "".join(self._head), "".join(self._tail)
        if not self.is_cut:
            return head + tail
        if len(head) + len(tail) == self.size:  # nothing is forgotten yet
            head = tail = self._censor(head + tail)
        else:
            head, tail = self._censor(head), self._censor(tail)
        head, tail = _whole_words(head[: self._half], tail[len(tail) - self._half :])
        return f"{head}\n… {self.size - len(head) - len(tail)} characters are left out here …\n{tail}"


def _whole_words(head: str, tail: str) -> tuple[str, str]:
    """Return both ends without the words that the cut went through, or the ``LONGEST_WORD`` characters next to it."""
    last, first = head[-LONGEST_WORD:], tail[:LONGEST_WORD]
    return head[: len(head) - len(last)] + _LAST_WORD.sub("", last), _FIRST_WORD.sub("", first) + tail[len(first) :]


def shortened(text: str, limit: int = LONGEST_TEXT) -> str:
    """Return ``text``, or its two ends when it is longer than ``limit``."""
    if len(text) <= limit:
        return text
    long = LongText(limit)
    long.append(text)
    return long.text()
