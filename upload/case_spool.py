"""The cases of a build on their way from the reports to what is published, on disk: memory holds one case at a time.

Each case is written twice as it comes, as ``<testcase>`` and as a line of ``cases.jsonl``. What depends on other cases is
put in afterwards, from the index: the order, the counts of each shard, the number of each attempt.
"""

from __future__ import annotations

import json
import json.encoder
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from upload.case_index import CaseIndex, Placed, Written
from upload.junit_render import SUITE_TAIL, ShardCutter, render_case, room_for_cases, suite_head
from upload.model import Case, SuiteEnding
from upload.spool import Spool

# put together by hand: an encoder made for every line took half the time of all
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_QUOTE = json.encoder.encode_basestring
_FIRST = '{"attempt": '


class CaseSpool:
    """Takes cases one by one; gives shards, lines, and how the tests ended. A context: what it keeps on disk goes with it.

    ``limit_bytes``: size that no shard reaches. Every method raises ResultsError when the disk refuses.
    """

    def __init__(self, spool: Spool, *, limit_bytes: int) -> None:
        self._spool = spool
        self._limit = limit_bytes
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._index = stack.enter_context(CaseIndex())
            self._bodies = stack.enter_context(self._spool.scratch())
            self._lines = stack.enter_context(self._spool.scratch())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, case: Case) -> None:
        """Take one case, censored, after all others."""
        body = render_case(case, room_bytes=room_for_cases(self._limit))
        self._index.add(case, Written(self._bodies.size_bytes, len(body), self._lines.size_bytes))
        self._bodies.write(body)
        self._lines.write(case_line(case))

    def ending(self) -> SuiteEnding:
        """Return how the tests ended."""
        return self._index.ending()

    def shards(self) -> Iterator[Path]:
        """Yield the file of each shard, as ``render_shards`` would make them; none when there are no cases."""
        cutter, shard = ShardCutter(self._limit), _Shard()
        for case in self._index.placed():
            if cutter.begins_shard(case.place, case.size, case.group_bytes) and shard.tests:
                yield self._spool.write(self._rendered(shard))
                shard = _Shard()
            shard.add(case)
        if shard.tests:
            yield self._spool.write(self._rendered(shard))

    def lines(self) -> Iterator[bytes]:
        """Yield ``cases.jsonl`` in pieces: one JSON object a line, with every field of a case that is not empty.

        ``attempt`` counts from 1 over the cases of one test in one file.
        """
        done = 0
        for line, attempt in self._index.later_attempts():
            number = line + len(_FIRST)
            yield from self._lines.read(done, number)
            yield str(attempt).encode()
            done = number + 1  # the 1 that every line was written with
        yield from self._lines.read(done, self._lines.size_bytes)

    def _rendered(self, shard: _Shard) -> Iterator[bytes]:
        yield suite_head(shard.tests, shard.failures, shard.micros)
        for start, end in zip(shard.starts, shard.ends, strict=True):
            yield from self._bodies.read(start, end)
        yield SUITE_TAIL


def case_line(case: Case) -> bytes:
    """Return a case as the line of its first attempt: every field that is not empty, in alphabetical order."""
    line = [f"{_FIRST}1"]
    if case.changes:
        line.append(f'"changes": {_ENCODE(case.changes)}')
    if case.classname:
        line.append(f'"classname": {_QUOTE(case.classname)}')
    line.append(f'"name": {_QUOTE(case.name)}')
    if case.output:
        line.append(f'"output": {_QUOTE(case.output)}')
    if case.properties:
        line.append(f'"properties": {_ENCODE(case.properties)}')
    line.append(f'"seconds": {case.seconds!r}')
    if case.source:
        line.append(f'"source": {_QUOTE(case.source)}')
    line.append(f'"status": "{case.status.value}"')
    if case.suite:
        line.append(f'"suite": {_QUOTE(case.suite)}')
    if case.text:
        line.append(f'"text": {_QUOTE(case.text)}')
    return f"{', '.join(line)}}}\n".encode("utf-8", "replace")


class _Shard:
    """One shard to be written: its counts, and where its cases stand, neighbours as one range."""

    __slots__ = ("ends", "failures", "micros", "starts", "tests")

    def __init__(self) -> None:
        self.tests = self.failures = self.micros = 0
        self.starts = array("q")
        self.ends = array("q")

    def add(self, case: Placed) -> None:
        self.tests += 1
        self.failures += case.is_failed
        self.micros += case.micros
        end = case.body + case.size
        if self.ends and self.ends[-1] == case.body:
            self.ends[-1] = end
        else:
            self.starts.append(case.body)
            self.ends.append(end)
