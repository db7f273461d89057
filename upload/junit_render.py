"""Write JUnit in the one shape that all five readers accept. Source: consumers.md section 2.

Root ``<testsuite tests= failures= time=>`` without ``name``; its only children are ``<testcase name= classname= time=>``
with one ``<failure>text</failure>``, one empty ``<skipped/>`` or nothing inside. junitparser's writer cannot leave out
``errors``, ``skipped`` and the suite's name, so the few lines of XML are written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from upload.durations import plain_seconds
from upload.junit_case import NO_TEXT
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


@dataclass(frozen=True, slots=True)
class _Rendered:
    """One ``<testcase>`` as bytes, and what the root's counts need of it."""

    body: bytes
    failed: bool
    seconds: float


def render_shards(cases: Iterable[Case], *, limit_bytes: int = LIMIT_BYTES) -> dict[str, bytes]:
    """Return file name → bytes of the shards ``junit_01.xml``, ``junit_02.xml``, … that hold ``cases``."""
    return dict(iter_shards(cases, limit_bytes=limit_bytes))


def iter_shards(cases: Iterable[Case], *, limit_bytes: int = LIMIT_BYTES) -> Iterator[tuple[str, bytes]]:
    """Yield the shards one at a time, each with fewer than ``limit_bytes`` bytes; none when there are no cases.

    The same cases give the same bytes. Cases keep their order, but attempts of one name stand together, at the first
    one's place and in one file, as long as they fit into one. A text too long for a file loses its middle.
    """
    if limit_bytes < SMALLEST_LIMIT:
        raise ValueError(f"limit_bytes is {limit_bytes}; a shard needs at least {SMALLEST_LIMIT}")
    room = limit_bytes - _HEAD_BYTES
    shard: list[_Rendered] = []
    size = number = 0
    for group in _by_name(cases):
        rendered = [_render_case(case, room=room) for case in group]
        for part in _parts(rendered, room):
            part_size = sum(len(case.body) for case in part)
            if shard and size + part_size >= room:
                number += 1
                yield _shard_name(number), _render_suite(shard)
                shard, size = [], 0
            shard.extend(part)
            size += part_size
    if shard:
        yield _shard_name(number + 1), _render_suite(shard)


def render_steps(steps: Sequence[StepRecord]) -> bytes:
    """Return ``junit_runner.xml``: one case for each step, in order, published as ``e2e.Up``, ``e2e.Test``, ….

    A step that ran twice is numbered (``Build (2)``): TestGrid would merge two rows of one name into ``1/2``.
    """
    return render_one(step_cases(steps))


def render_one(cases: Iterable[Case]) -> bytes:
    """Return one file with all ``cases``, however large, in the shape of a shard."""
    return _render_suite([_render_case(case, room=LIMIT_BYTES) for case in cases])


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


def _parts(rendered: list[_Rendered], room: int) -> Iterator[list[_Rendered]]:
    """Keep a group whole when it fits into a file, else give its cases one by one."""
    if sum(len(case.body) for case in rendered) < room:
        yield rendered
    else:
        yield from ([case] for case in rendered)


def _shard_name(number: int) -> str:
    return f"junit_{number:02d}.xml"


def _render_suite(cases: Sequence[_Rendered]) -> bytes:
    failures = sum(case.failed for case in cases)
    seconds = plain_seconds(sum(case.seconds for case in cases))
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuite tests="{len(cases)}" failures="{failures}" time="{seconds}">\n'
    )
    return b"".join((head.encode(), *(case.body for case in cases), b"</testsuite>\n"))


def _render_case(case: Case, *, room: int) -> _Rendered:
    time = plain_seconds(case.seconds)
    name, classname = (_attribute(one_line(value)) for value in (case.name, case.classname))
    opened = f'<testcase name="{name}" classname="{classname}" time="{time}"'
    if case.status is Status.FAILED:
        text = case.text if case.text.strip() else NO_TEXT
        spare = max(room - len(opened) - 100, SMALLEST_LIMIT // 4)
        body = f"{opened}><failure>{_fitting(printable(text), spare)}</failure></testcase>\n"
    elif case.status is Status.SKIPPED:
        body = f"{opened}><skipped/></testcase>\n"
    else:
        body = f"{opened}/>\n"
    return _Rendered(body.encode(), case.status is Status.FAILED, float(time))


def _attribute(text: str) -> str:
    return _ATTRIBUTE.sub(lambda match: _ENTITIES[match.group()], text)


def _escaped(text: str) -> str:
    return _TEXT.sub(lambda match: _ENTITIES[match.group()], text)


def _fitting(text: str, room: int) -> str:
    """Return ``text`` escaped and within ``room`` bytes: its two ends, and how much is missing between them."""
    escaped = _escaped(text)
    if len(escaped) * 4 <= room or len(escaped.encode()) <= room:
        return escaped
    keep = (room - 100) // 10  # at most five bytes a character ("&quot;" is not used here), two ends
    left_out = len(text) - 2 * keep
    return f"{_escaped(text[:keep])}\n… {left_out} characters are left out here …\n{_escaped(text[-keep:])}"
