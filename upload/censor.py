"""Replace secrets by as many asterisks, in whatever form they were written: text, bytes, streams, cases.

The cost does not grow with the number of secrets: every form is at least eight bytes long, so each of its places in a
text holds one of its first four 4-byte words at an offset that four divides. Only those words are looked up.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from upload.model import Case
from upload.secret_forms import forms_of

SHORTEST = 8
"""Secrets below this many bytes are words; without them nothing could be read any more."""

_WORD = 4
_SCAN_BYTES = 1 << 16


class Censor:
    """A set of secrets, and the ways to remove them. Immutable; safe to share between threads.

    Known forms: plain (UTF-8 and UTF-16), base64 at each of its three alignments in both alphabets, URL-encoded,
    JSON-escaped once and twice, XML-escaped; of a secret with several lines also each line that is long enough.
    ``longest``: bytes of the longest form, 0 without any.
    """

    def __init__(self, secrets: Iterable[str | bytes] = ()) -> None:
        forms: set[bytes] = set()
        for secret in secrets:
            raw = secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret
            if len(raw) >= SHORTEST:
                forms |= forms_of(raw)
        self._forms = frozenset(form for form in forms if len(form) >= SHORTEST)
        self.longest = max(map(len, self._forms), default=0)
        self._sorted = sorted(self._forms)
        lengths: dict[bytes, set[int]] = {}
        offsets: dict[int, set[int]] = {}
        for form in self._forms:
            lengths.setdefault(form[:SHORTEST], set()).add(len(form))
            for offset in range(_WORD):
                (word,) = struct.unpack_from("=I", form, offset)
                offsets.setdefault(word, set()).add(offset)
        self._lengths = {start: tuple(sorted(known, reverse=True)) for start, known in lengths.items()}
        self._offsets = {word: tuple(known) for word, known in offsets.items()}

    def __bool__(self) -> bool:
        """Say whether there is anything to censor."""
        return bool(self._forms)

    def data(self, data: bytes) -> bytes:
        """Return ``data`` with every byte of every secret replaced by ``*``; overlapping ones wholly."""
        return _starred(data, self._spans(data)) if self._forms else data

    def text(self, text: str) -> str:
        """Return ``text`` censored; a character beyond ASCII inside a secret counts as its bytes in UTF-8."""
        if not self._forms:
            return text
        raw = text.encode("utf-8", "surrogatepass")
        spans = self._spans(raw)
        return _starred(raw, spans).decode("utf-8", "surrogatepass") if spans else text

    def stream(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the censored bytes of ``chunks``, in pieces of other sizes; secrets across borders are found.

        Memory: a chunk, 64 KiB and twice the longest form.
        """
        if not self._forms:
            yield from chunks
            return
        window, covered = b"", 0  # covered: bytes at the window's start that belong to a secret already seen
        for chunk in chunks:
            window += chunk
            ready = len(window) - (self.longest - 1)
            if ready < max(self.longest, _SCAN_BYTES):  # each byte is scanned at most twice
                continue
            spans = _merged([(0, covered), *self._spans(window)])
            yield _starred(window, spans)[:ready]
            covered = max((end - ready for start, end in spans if start < ready < end), default=0)
            window = window[ready:]
        if window:
            yield _starred(window, _merged([(0, covered), *self._spans(window)]))

    def settled(self, data: bytes) -> int:
        """Return how many of the first bytes are settled: none of them is in a secret that may go on behind the end."""
        forms = self._sorted
        cut = len(data)
        for start in range(max(0, cut - self.longest + 1), cut):
            beginning = data[start : start + SHORTEST]
            if len(beginning) == SHORTEST and beginning not in self._lengths:  # a long secret must not cost its square
                continue
            tail = data[start:]
            place = bisect_left(forms, tail)
            if place < len(forms) and forms[place].startswith(tail):
                cut = start
                break
        spans = self._spans(data) if forms else []
        return min((start for start, end in spans if start < cut < end), default=cut)

    def case(self, case: Case) -> Case:
        """Return ``case`` with all its texts censored, before it is written in any escaped form."""
        if not self._forms:
            return case
        properties = (part for pair in case.properties for part in pair)
        texts = (case.name, case.classname, case.text, case.output, case.suite, case.source, *properties)
        if not self._spans("\0".join(texts).encode("utf-8", "surrogatepass")):  # nearly always
            return case
        return replace(
            case,
            name=self.text(case.name),
            classname=self.text(case.classname),
            text=self.text(case.text),
            output=self.text(case.output),
            properties=tuple((self.text(key), self.text(value)) for key, value in case.properties),
            suite=self.text(case.suite),
            source=self.text(case.source),
        )

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return the places of all secrets, in order and apart."""
        words = struct.unpack(f"={len(data) // _WORD}I", memoryview(data)[: len(data) // _WORD * _WORD])
        offsets = self._offsets
        if offsets.keys().isdisjoint(words):
            return []
        found = []
        for index in [index for index, word in enumerate(words) if word in offsets]:
            for offset in offsets[words[index]]:
                start = index * _WORD - offset
                length = self._length_at(data, start) if start >= 0 else 0
                if length:
                    found.append((start, start + length))
        return _merged(found)

    def _length_at(self, data: bytes, start: int) -> int:
        """Return the length of the longest form that begins at ``start``, 0 if none does."""
        for length in self._lengths.get(data[start : start + SHORTEST], ()):
            if start + length <= len(data) and data[start : start + length] in self._forms:
                return length
        return 0


def _merged(spans: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged


def _starred(data: bytes, spans: Collection[tuple[int, int]]) -> bytes:
    if not spans:
        return data
    censored = bytearray(data)
    for start, end in spans:
        censored[start:end] = b"*" * (end - start)
    return bytes(censored)
