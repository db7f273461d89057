"""Write JUnit in the one shape that all five readers accept. Source: consumers.md section 2.

Root ``<testsuite tests= failures= time=>`` without ``name``; its only children are ``<testcase name= classname= time=>``
with one ``<failure>text</failure>``, one empty ``<skipped/>`` or nothing inside. junitparser's writer cannot leave out
``errors``, ``skipped`` and the suite's name, so the few lines of XML are written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from upload.durations import LONGEST_S, plain_seconds
from upload.junit_case import NO_TEXT
from upload.layout import RUNNER_JUNIT
from upload.long_text import shortened
from upload.model import Case, Status, StepRecord
from upload.names import one_line
from upload.xml_text import printable

LIMIT_BYTES = 100_000_000
"""TestGrid reads no larger file."""

SMALLEST_LIMIT = 4_096
STEP_CLASS = "e2e"

_ATTRIBUTE = re.compile('[&<>"]')
_TEXT = re.compile("[&<>\r]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_HEAD_BYTES = 200  # the declaration and the root's two tags, with room for any count


class ShardCutter:
    """Says where a new shard begins, so that none reaches ``limit_bytes`` and one name stands in one shard if it can."""

    def __init__(self, limit_bytes: int) -> None:
        if limit_bytes < SMALLEST_LIMIT:
            raise ValueError(f"limit_bytes is {limit_bytes}; a shard needs at least {SMALLEST_LIMIT}")
        self._room = room_for_cases(limit_bytes)
        self._filled = 0
        self._place: int | None = None

    def begins_shard(self, place: int, size: int, group_bytes: int) -> bool:
        """Take the next case; say whether it begins a shard.

        ``place`` is the same for all cases of one name, ``group_bytes`` what these need together, 0 for one alone.
        """
        needed = size
        if place != self._place and size < group_bytes < self._room:
            needed = group_bytes
        self._place = place
        begins = self._filled == 0 or self._filled + needed >= self._room
        self._filled = size if begins else self._filled + size
        return begins


def room_for_cases(limit_bytes: int) -> int:
    """Return how many bytes of a shard are left for cases."""
    return limit_bytes - _HEAD_BYTES


def render_shards(cases: Iterable[Case], *, limit_bytes: int = LIMIT_BYTES) -> dict[str, bytes]:
    """Return file name → bytes of the shards ``junit_01.xml``, ``junit_02.xml``, … that hold ``cases``; none of none.

    The same cases give the same bytes. Cases keep their order, but attempts of one name stand together, at the first
    one's place and in one file, as long as they fit into one. A text too long for a file loses its middle.
    For as many cases as memory holds; ``upload.case_spool`` does the same on disk.
    """
    cutter = ShardCutter(limit_bytes)
    shards: list[list[tuple[Case, bytes]]] = []
    for place, group in enumerate(_by_name(cases)):
        bodies = [render_case(case, room_bytes=room_for_cases(limit_bytes)) for case in group]
        together = sum(map(len, bodies)) if len(bodies) > 1 else 0
        for case, body in zip(group, bodies, strict=True):
            if cutter.begins_shard(place, len(body), together):
                shards.append([])
            shards[-1].append((case, body))
    return {shard_name(number): _suite(shard) for number, shard in enumerate(shards, 1)}


def render_steps(steps: Sequence[StepRecord]) -> bytes:
    """Return ``junit_runner.xml``: one case for each step, in order, published as ``e2e.Up``, ``e2e.Test``, ….

    A step that ran twice is numbered (``Build (2)``): TestGrid would merge two rows of one name into ``1/2``.
    """
    return render_one(step_cases(steps))


def render_one(cases: Iterable[Case]) -> bytes:
    """Return one file with all ``cases``, however large, in the shape of a shard."""
    return _suite([(case, render_case(case, room_bytes=LIMIT_BYTES)) for case in cases])


def shard_name(number: int) -> str:
    """Return the name of a shard; they count from 1."""
    return f"junit_{number:02d}.xml"


def runner_name(number: int) -> str:
    """Return the name of a file with steps: one file as a rule, which no reader's pattern misses."""
    return RUNNER_JUNIT if number == 1 else RUNNER_JUNIT.replace(".", f"_{number:02d}.")


def suite_head(tests: int, failures: int, micros: int) -> bytes:
    """Return what stands before the cases of a file."""
    seconds = plain_seconds(micros / 1_000_000)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite tests="{tests}" failures="{failures}" time="{seconds}">\n'
    ).encode()


SUITE_TAIL = b"</testsuite>\n"


def published_micros(case: Case) -> int:
    """Return the duration of a case as it is published, in millionths of a second."""
    return round(case.seconds * 1_000_000) if 0 < case.seconds < LONGEST_S else 0


def step_cases(steps: Sequence[StepRecord]) -> tuple[Case, ...]:
    """Return the steps as cases of class ``e2e``; a failed one's text is what it said and the end of its output."""
    seen: dict[str, int] = {}
    cases = []
    for step in steps:
        seen[step.name] = count = seen.get(step.name, 0) + 1
        name = step.name if count == 1 else f"{step.name} ({count})"
        status = Status.FAILED if step.failure else Status.PASSED
        text = "\n\n".join(part for part in (step.failure, step.output_tail) if part) if step.failure else ""
        cases.append(Case(name=name, status=status, seconds=step.seconds, classname=STEP_CLASS, text=text))
    return tuple(cases)


def _by_name(cases: Iterable[Case]) -> Iterable[list[Case]]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.name, []).append(case)
    return groups.values()


def _suite(cases: Sequence[tuple[Case, bytes]]) -> bytes:
    failures = sum(case.status is Status.FAILED for case, _ in cases)
    head = suite_head(len(cases), failures, sum(published_micros(case) for case, _ in cases))
    return b"".join((head, *(body for _, body in cases), SUITE_TAIL))


def render_case(case: Case, *, room_bytes: int) -> bytes:
    """Return one ``<testcase>`` on a line of its own, with less than ``room_bytes`` of text."""
    time = plain_seconds(case.seconds)
    name, classname = _attribute(one_line(case.name)), _attribute(one_line(case.classname))
    opened = f'<testcase name="{name}" classname="{classname}" time="{time}"'
    if case.status is Status.FAILED:
        text = case.text if case.text.strip() else NO_TEXT
        spare = max(room_bytes - len(opened) - 100, SMALLEST_LIMIT // 4)
        return f"{opened}><failure>{_fitting(printable(text), spare)}</failure></testcase>\n".encode()
    return f"{opened}><skipped/></testcase>\n".encode() if case.status is Status.SKIPPED else f"{opened}/>\n".encode()


def _attribute(text: str) -> str:
    return _ATTRIBUTE.sub(_entity, text) if _ATTRIBUTE.search(text) else text


def _escaped(text: str) -> str:
    return _TEXT.sub(_entity, text)


def _entity(match: re.Match[str]) -> str:
    return _ENTITIES[match.group()]


def _fitting(text: str, room: int) -> str:
    """Return ``text`` escaped and within ``room`` bytes: its two ends, and how much is missing between them."""
    escaped = _escaped(text)
    if len(escaped) * 4 <= room or len(escaped.encode()) <= room:
        return escaped
    return _escaped(shortened(text, (room - 100) // 5))  # at most five bytes a character: "&quot;" is not used here
