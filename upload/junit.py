"""Read JUnit XML of any writer as cases. Bad input becomes findings, never an exception.

The parser is expat, as in defusedxml: it streams, tells a DTD before anything in it is read, and has no depth or text
limit of its own. (libxml2 expands entities inside attributes even with ``resolve_entities=False``, and its ``recover``
drops what it does not like without a word.) Nothing is kept but the case being read.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from upload.junit_case import FAILURES, CaseRules, Draft, Sink
from upload.model import Case, Finding, Severity
from upload.xml_text import CHUNK_BYTES, XMLText

ROOTS = ("testsuites", "testsuite")
LONGEST_SUITE = 1_000
DEEPEST = 20_000
LONGEST_TAG = 16_000_000
"""Characters. A parser holds a tag whole, several times."""

_LARGEST_FEED = 1 << 24


@dataclass(frozen=True, slots=True)
class JUnitRead:
    """What one JUnit file holds: its cases in file order, attempts apart, and what was wrong with it."""

    cases: tuple[Case, ...]
    findings: tuple[Finding, ...] = ()


def read_junit(source: Path | bytes | BinaryIO, *, name: str, published: bool = False) -> JUnitRead:
    """Return everything that ``iter_junit`` yields, cases and findings apart."""
    cases: list[Case] = []
    findings: list[Finding] = []
    for item in iter_junit(source, name=name, published=published):
        if isinstance(item, Case):
            cases.append(item)
        else:
            findings.append(item)
    return JUnitRead(tuple(cases), tuple(findings))


def iter_junit(
    source: Path | bytes | BinaryIO, *, name: str, published: bool = False, censor: Callable[[str], str] = str
) -> Iterator[Case | Finding]:
    """Yield the cases of a JUnit file as they are read, and findings about it.

    ``name`` is the place that cases and findings give as their source. ``published``: the file comes from a bucket,
    so a case's ``name`` is what readers show and stays as it is; otherwise it gets its published name.
    ``censor`` is given each attribute as it was written, before names are escaped and long ones cut, and what is left
    of a text that is cut; other texts are the caller's. Each ``<flakyFailure>`` and ``<rerunFailure>`` is a case of its own, in the order of the attempts.
    Findings: ``report.empty``, ``report.dtd``, ``report.malformed``, ``report.truncated`` (errors: what comes after is
    unknown); ``report.root``, ``report.encoding``, ``report.characters``, ``report.time``, ``report.long`` (warnings).
    Raises: OSError when ``source`` cannot be read.
    """
    with _opened(source) as stream:
        text = XMLText(stream)
        reader = _Reader(name, CaseRules(source=name, published=published), censor)
        yield from reader.read(text)
        for flaw in sorted(text.flaws):
            rule, what = _FLAWS[flaw]
            yield Finding(rule, name, what, severity=Severity.WARNING)


_FLAWS = {
    "bytes": ("report.encoding", "bytes that are not of the file's encoding were replaced by U+FFFD"),
    "encoding": ("report.encoding", "the declared encoding is unknown; read as UTF-8"),
    "characters": ("report.characters", "characters that XML forbids were replaced; control characters by pictures"),
}


class _Refused(Exception):
    """Stops the parser from within a handler. The finding says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class _Reader:
    """Follows the parser's events and turns each ``<testcase>`` into cases as soon as it ends."""

    def __init__(self, name: str, rules: CaseRules, censor: Callable[[str], str]) -> None:
        self._name = name
        self._censor = censor
        self._rules = rules
        self._suites: list[str] = []  # the path of each open suite
        self._drafts: list[Draft] = []
        self._sinks: list[Sink | None] = []  # where text goes, one entry for each open element
        self._found: list[Case | Finding] = []
        self._events = 0
        self._noted: set[str] = set()
        self._listening = False
        self._parser = expat.ParserCreate(intern=None)  # it would keep every name that a file makes up
        self._parser.buffer_text = True
        self._parser.buffer_size = CHUNK_BYTES
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, text: XMLText) -> Iterator[Case | Finding]:
        """Yield cases while the text is read, then what was wrong."""
        feed = Feed()
        try:
            for chunk in text.chunks():
                feed.add(chunk)
                if feed.is_due:
                    self._feed(feed)
                    yield from self._take()
            self._parser.Parse(feed.take(), False)
            yield from self._take()
            if text.size_bytes == 0 or not self._events:
                yield self._error("report.empty", "the file is empty: its writer stopped before it wrote")
                return
            self._parser.Parse("", True)
        except _Refused as refused:
            yield from self._take()
            yield refused.finding
        except expat.ExpatError as exc:
            yield from self._take()
            yield self._broken(exc)

    def _feed(self, feed: Feed) -> None:
        seen = self._parser.CurrentByteIndex
        self._parser.Parse(feed.take(), False)
        feed.adapt(moved=self._parser.CurrentByteIndex > seen)
        if feed.stuck > LONGEST_TAG:
            raise _Refused(self._error("report.malformed", f"a tag is longer than {LONGEST_TAG} characters"))

    def _take(self) -> list[Case | Finding]:
        found, self._found = self._found, []
        return found

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._events += 1
        # here, before anything is escaped or cut: half a secret would not be found any more
        attributes = {key: self._censor(value) for key, value in attributes.items()}
        if len(self._sinks) >= DEEPEST:
            raise _Refused(self._error("report.malformed", f"elements stand more than {DEEPEST} deep in each other"))
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        inside = self._sinks[-1] if self._sinks else None
        sink = None
        if not self._sinks and tag not in ROOTS:
            what = f"the root is <{tag[:40]}>, not <testsuites> or <testsuite>: no JUnit"
            raise _Refused(Finding("report.root", self._name, what, severity=Severity.WARNING))
        if tag in ROOTS:
            self._enter_suite(attributes.get("name", "").strip())
        elif tag == "testcase":
            self._drafts.append(Draft(attributes, censor=self._censor))
        elif self._drafts:
            sink = self._drafts[-1].open(tag, attributes, inside=inside.piece if inside else None)
        elif tag in FAILURES:  # beside the cases: the suite itself failed
            self._drafts.append(Draft({"name": self._suites[-1]}, of_suite=True, censor=self._censor))
            sink = self._drafts[-1].open(tag, attributes, inside=None)
        self._sinks.append(sink)
        self._listen(sink)

    def _end(self, tag: str) -> None:
        self._events += 1
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        self._sinks.pop()
        self._listen(self._sinks[-1] if self._sinks else None)
        if tag in ROOTS:
            self._suites.pop()
        elif self._drafts and (tag == "testcase" or (self._drafts[-1].of_suite and tag in FAILURES)):
            cases, notes = self._rules.cases(self._drafts.pop(), suite=self._suites[-1] if self._suites else "")
            self._found.extend(cases)
            for note in notes:
                if note.rule not in self._noted:  # one example of each is enough
                    self._noted.add(note.rule)
                    self._found.append(Finding(note.rule, self._name, note.what, severity=Severity.WARNING))

    def _listen(self, sink: Sink | None) -> None:
        """Have text only where it is wanted: most of a file is the white space between its tags."""
        if self._listening != (sink is not None):
            self._listening = sink is not None
            self._parser.CharacterDataHandler = self._text if sink else None

    def _text(self, text: str) -> None:
        self._events += 1
        if sink := self._sinks[-1]:
            sink.text.append(text)

    def _enter_suite(self, name: str) -> None:
        above = self._suites[-1] if self._suites else ""
        # cut: suites inside each other would fill the memory with their paths
        full = len(above) >= LONGEST_SUITE
        self._suites.append(above if full else " / ".join(part for part in (above, name) if part)[:LONGEST_SUITE])

    def _doctype(self, *_: object) -> None:
        raise _Refused(self._error("report.dtd", "it has a DTD; entities are refused, nothing of it was read"))

    def _broken(self, exc: expat.ExpatError) -> Finding:
        what = expat.errors.messages.get(exc.code, str(exc))
        within = self._drafts[-1].attributes.get("name", "")[:100] if self._drafts else ""
        within = f", within the case {within!r}" if within else ""
        place = f"line {exc.lineno}{within}: {what}; the cases before it were kept, what came after is unknown"
        open_elements = (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN)
        cut = what in (*open_elements, expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION)
        if cut:
            return self._error("report.truncated", f"the file is cut: {place}")
        return self._error("report.malformed", place)

    def _error(self, rule: str, what: str) -> Finding:
        return Finding(rule, self._name, what, readers=("testgrid", "gubernator", "kettle", "test-history"))


class Feed:
    """Gathers chunks for the parser. It doubles its size while a single tag fills it.

    expat before 2.6 scans an unfinished tag from its start at every call: an attribute of 100 MB in chunks of 64 KiB
    would cost minutes.
    """

    def __init__(self) -> None:
        self._chunks: list[str] = []
        self._size = 0
        self._due = 0
        self._taken = 0
        self.stuck = 0  # characters of a tag that is not finished

    @property
    def is_due(self) -> bool:
        """Say whether enough is gathered."""
        return self._size >= self._due

    def add(self, chunk: str) -> None:
        """Put one more chunk behind the others."""
        self._chunks.append(chunk)
        self._size += len(chunk)

    def take(self) -> str:
        """Return what is gathered and begin anew."""
        text = "".join(self._chunks)
        self._taken = self._size
        self._chunks, self._size = [], 0
        return text

    def adapt(self, *, moved: bool) -> None:
        """Learn whether the parser got beyond a tag with what it was given last."""
        self.stuck = 0 if moved else self.stuck + self._taken
        self._due = 0 if moved else min(max(2 * self._due, 1 << 17), _LARGEST_FEED)


@contextmanager
def _opened(source: Path | bytes | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, Path):
        with source.open("rb") as stream:
            yield stream
    else:
        yield source
