"""From what stands inside one ``<testcase>`` to its attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from upload.durations import parse_seconds
from upload.model import Case, Status
from upload.names import PublishedName, published_name

FAILURES = ("failure", "error")
EARLIER = ("flakyFailure", "flakyError")
"""Surefire: attempts before the one that passed."""
LATER = ("rerunFailure", "rerunError")
"""Surefire: attempts after the one that failed first."""
SKIPPED = "skipped"
OUTPUTS = ("system-out", "system-err")
PIECES = (*FAILURES, *EARLIER, *LATER, SKIPPED)

# googletest marks a disabled test and CTest one that did not run by an attribute alone; others a failure
_SKIPPED_WORDS = {"notrun", "disabled", "skipped", "pending", "suppressed", "ignored"}
_FAILED_WORDS = {"fail", "failed", "failure", "error", "errored", "timedout", "panicked", "interrupted", "aborted"}

NO_TEXT = "failed; the report gives no reason"


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a case that the file's findings should say once."""

    rule: str
    what: str


@dataclass(slots=True)
class Piece:
    """One child of a case that says how an attempt went, while it is read."""

    attributes: Mapping[str, str]
    text: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)

    def reason(self) -> str:
        """Return message and text as one, the message only if the text does not say it."""
        message = self.attributes.get("message", "")
        text = "".join(self.text)
        if text.isspace():
            text = ""
        if not message or message.isspace() or message in text:
            return text or self.attributes.get("type", "")
        return f"{message}\n{text}" if text else message


@dataclass(frozen=True, slots=True)
class Sink:
    """Where the text of an open element goes, and the piece it stands in, if any."""

    text: list[str]
    piece: Piece | None


class Draft:
    """A case while it is read: its attributes and what its children said so far."""

    __slots__ = ("attributes", "earlier", "later", "of_suite", "output", "own", "properties", "skips")

    def __init__(self, attributes: Mapping[str, str], *, of_suite: bool = False) -> None:
        self.attributes = attributes
        self.of_suite = of_suite
        self.own: list[Piece] = []
        self.earlier: list[Piece] = []
        self.later: list[Piece] = []
        self.skips: list[Piece] = []
        self.output: list[str] = []
        self.properties: list[tuple[str, str]] = []

    def open(self, tag: str, attributes: Mapping[str, str], *, inside: Piece | None) -> Sink | None:
        """Begin a child, inside a piece or directly in the case; return where its text goes, None for nowhere."""
        if tag in PIECES:
            piece = Piece(attributes)
            self._list_of(tag).append(piece)
            return Sink(piece.text, piece)
        if tag in OUTPUTS:  # inside <rerunFailure> it belongs to that attempt
            return Sink(inside.output if inside else self.output, inside)
        if tag == "property":
            self.properties.append((attributes.get("name", ""), attributes.get("value", "")))
        return Sink(inside.text, inside) if inside else None  # <stackTrace> inside <rerunFailure>

    def _list_of(self, tag: str) -> list[Piece]:
        if tag in FAILURES:
            return self.own
        if tag == SKIPPED:
            return self.skips
        return self.earlier if tag in EARLIER else self.later


@dataclass(frozen=True, slots=True)
class CaseRules:
    """How the cases of one file are named, and which file that is."""

    source: str
    published: bool

    def cases(self, draft: Draft, *, suite: str) -> tuple[tuple[Case, ...], Note | None]:
        """Return the attempts of one case in order, and what is to be noted about it."""
        attributes = draft.attributes
        seconds, note = _seconds(attributes.get("time"))
        name, classname = attributes.get("name", ""), attributes.get("classname", "")
        named = PublishedName(name) if self.published else published_name(name, classname)
        status, text = _ending(draft)
        case = Case(
            name=named.name,
            status=status,
            seconds=seconds,
            classname=classname,
            text=text,
            output="".join(draft.output),
            properties=tuple(draft.properties),
            changes=named.changes,
            suite=suite,
            source=self.source,
        )
        if not (draft.earlier or draft.later):
            return (case,), note
        earlier = (_failed(case, piece) for piece in draft.earlier)
        later = (_failed(case, piece) for piece in draft.later)
        return (*earlier, case, *later), note


def _seconds(text: str | None) -> tuple[float, Note | None]:
    seconds = parse_seconds(text or "")
    if seconds is not None:
        return round(seconds, 6), None
    if text is None:  # CTest says so of every test that did not run
        return 0.0, None
    return 0.0, Note("report.time", f'a case has time="{text[:40]}", which is no duration; 0 was taken')


def _ending(draft: Draft) -> tuple[Status, str]:
    """Return how the case's own attempt ended, and its failure text or skip reason."""
    if draft.own:
        return Status.FAILED, _reasons(draft.own) or NO_TEXT
    if draft.skips:
        return Status.SKIPPED, _reasons(draft.skips)
    for key in ("status", "result"):
        word = draft.attributes.get(key, "").lower()
        if word in _FAILED_WORDS:
            return Status.FAILED, f"{key}: {word}"
        if word in _SKIPPED_WORDS:
            return Status.SKIPPED, word
    return Status.PASSED, ""


def _reasons(pieces: Sequence[Piece]) -> str:
    return "\n\n".join(reason for piece in pieces if (reason := piece.reason()))


def _failed(case: Case, piece: Piece) -> Case:
    """Return another attempt of ``case``: ``<flakyFailure>`` and ``<rerunFailure>`` have their own text and output."""
    return replace(
        case,
        status=Status.FAILED,
        text=piece.reason() or NO_TEXT,
        seconds=_seconds(piece.attributes.get("time"))[0],
        output="".join(piece.output),
    )
