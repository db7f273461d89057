"""The one shape of JUnit that all readers accept, checked on published files. Pure: bytes in, findings out.

The parser is expat: it streams, has no depth to overflow, and tells of a DTD before anything in it is used. Each broken rule
is told once a file, with the first line and how often.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from upload.layout import ARTIFACTS, LARGEST_JUNIT_BYTES, junit_readers
from upload.model import Finding
from upload.rules.table import broken

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_INVALID_TOKEN = 4  # XML_ERROR_INVALID_TOKEN: what a control character gives
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def check_junit(path: str, body: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a file that readers take for JUnit. ``path``: the object's, for the findings."""
    if len(body) > LARGEST_JUNIT_BYTES:
        yield broken("junit.size", path, f"{len(body)} bytes; {LARGEST_JUNIT_BYTES} at most are read")
    if not body.strip():
        yield broken("junit.empty", path, "the file is empty")
        return
    shape = _Shape()
    yield from (broken(rule, path, what) for rule, what in shape.check(body))


def check_junit_name(path: str, below_build: str) -> Iterator[Finding]:
    """Yield a finding when only some readers take a file for JUnit. ``below_build`` begins with ``artifacts/``."""
    readers = junit_readers(below_build)
    if below_build.startswith(ARTIFACTS) and readers and "test-history" not in readers:
        # at any depth TestGrid reads it: it must have the shape, and test-history and kettle do not see it
        yield broken("junit.name", path, f"read by {', '.join(readers)} only; name it artifacts/junit_NN.xml")
    elif readers and "gubernator" not in readers:
        yield broken(
            "junit.name", path, "2016 Gubernator reads only names with 'junit_'; name it artifacts/junit_NN.xml"
        )


class _Shape:
    """Walks one file and counts what is not as it must be."""

    def __init__(self) -> None:
        self._stack: list[str] = []
        self._depth = 0
        self._found: dict[str, tuple[str, int]] = {}
        self._skip_text = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def check(self, body: bytes) -> list[tuple[str, str]]:
        """Return rule and what is wrong, each rule once, in the order first seen."""
        try:
            self._parser.Parse(body, True)
        except expat.ExpatError as error:
            self._not_xml(error, body)
        except _Refused:
            self._note("junit.dtd", "a document type is declared")
        except (ValueError, LookupError) as error:  # an encoding that nobody knows
            self._note("junit.xml", str(error))
        return [
            (rule, what if count == 1 else f"{what} (and {count - 1} more)")
            for rule, (what, count) in self._found.items()
        ]

    def _not_xml(self, error: expat.ExpatError, body: bytes) -> None:
        line = body.splitlines()[error.lineno - 1] if 0 < error.lineno <= body.count(b"\n") + 1 else b""
        if error.code == _INVALID_TOKEN and _CONTROL.search(line):
            self._note("junit.control", "a control character", error.lineno)
        else:
            self._note("junit.xml", expat.ErrorString(error.code), error.lineno)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self._root(tag, attributes)
        elif self._depth == 2:
            self._child(tag, attributes)
        elif self._depth == 3 and self._stack[-1] == "testcase":
            self._outcome(tag, attributes)
        if self._depth <= 3:
            self._stack.append(tag)

    def _end(self, _tag: str) -> None:
        if self._depth <= 3:
            self._stack.pop()
        self._depth -= 1
        self._skip_text = False

    def _text(self, text: str) -> None:
        if self._skip_text and text.strip():
            self._note("junit.skipped", "a skip with a text")
            self._skip_text = False

    def _doctype(self, *_: object) -> None:
        raise _Refused

    def _root(self, tag: str, attributes: dict[str, str]) -> None:
        if tag != "testsuite":
            self._note("junit.root", f"the root is <{tag}>, <testsuite> is expected")
            return
        if attributes.get("name"):
            self._note("junit.suite-name", f"the suite has the name {attributes['name'][:60]!r}")
        missing = [name for name in ("tests", "failures", "time") if name not in attributes]
        if missing:
            self._note("junit.counts", f"the suite has no {', '.join(missing)}")

    def _child(self, tag: str, attributes: dict[str, str]) -> None:
        if self._stack[0] != "testsuite":
            return
        if tag == "properties":
            self._note("junit.properties", "<properties> under the suite")
        elif tag != "testcase":
            self._note("junit.children", f"<{tag}> under the suite, only <testcase> is expected")
        else:
            self._case(attributes)

    def _case(self, attributes: dict[str, str]) -> None:
        name = attributes.get("name", "")
        if not name:
            self._note("junit.case-name", "a case without a name")
        elif not name.isascii():
            self._note("junit.ascii", f"a name beyond ASCII: {name[:60]!r}")
        if any(0x7F <= ord(c) < 0xA0 or c in "\n\r\t" for c in name):
            self._note("junit.control", "a control character in a name")
        time = attributes.get("time")
        if time is None or not _DECIMAL.fullmatch(time):
            self._note(
                "junit.time", "a case without time" if time is None else f"time={time[:40]!r} is no plain decimal"
            )

    def _outcome(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "error":
            self._note("junit.error", "<error>, write <failure>")
        elif tag == "skipped":
            self._skip_text = True
            if attributes.get("message", "") not in ("", "skipped"):
                self._note("junit.skipped", "a skip with a message")

    def _note(self, rule: str, what: str, line: int | None = None) -> None:
        if rule in self._found:
            first, count = self._found[rule]
            self._found[rule] = (first, count + 1)
        else:
            self._found[rule] = (f"line {line or self._parser.CurrentLineNumber}: {what}", 1)


class _Refused(Exception):
    """The file declares a document type."""
