"""From what stands inside one ``<testcase>`` to its attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from upload.durations import parse_seconds
from upload.long_text import LONGEST_TEXT, LongText, shortened
from upload.model import Case, Status
from upload.names import LONGEST_NAME, PublishedName, published_name

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

MOST_CHILDREN = 1_000
"""Attempts, and properties, that are kept of one case."""
LONGEST_PROPERTY = 2_000
LONGEST_REST = 2_000
"""Characters of a failure for which the failures before it left no room."""

NO_TEXT = "failed; the report gives no reason"


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a case that the file's findings should say once."""

    rule: str
    what: str


_CUT = Note("report.long", "a case is too long to be kept whole; all of it stands in the original")


class Piece:
    """One child of a case that says how an attempt went, while it is read."""

    __slots__ = ("_is_shortened", "message", "output", "seconds", "text", "type")

    def __init__(self, attributes: Mapping[str, str], room: int, censor: Callable[[str], str]) -> None:
        self.message = shortened(attributes.get("message", ""), room)
        self.type = shortened(attributes.get("type", ""), room)
        self.seconds = attributes.get("time")
        self._is_shortened = any(len(attributes.get(key, "")) > room for key in ("message", "type"))
        self.text = LongText(room, censor)
        self.output = LongText(room, censor)

    def reason(self) -> str:
        """Return message and text as one, the message only if the text does not say it."""
        text = self.text.text()
        if text.isspace():
            text = ""
        if not self.message or self.message.isspace() or self.message in text:
            return text or self.type
        return f"{self.message}\n{text}" if text else self.message

    @property
    def is_cut(self) -> bool:
        """Say whether something is left out."""
        return self._is_shortened or self.text.is_cut or self.output.is_cut

    def kept(self) -> int:
        """Return how many characters it holds."""
        return len(self.message) + len(self.type) + self.text.kept + self.output.kept


class Sink(NamedTuple):
    """Where the text of an open element goes, and the piece it stands in, if any."""

    text: LongText
    piece: Piece | None


class Draft:
    """A case while it is read: its attributes and what its children said so far.

    Of one that is too long for the memory the beginning and the end are kept; ``is_cut``: children were left out.
    """

    __slots__ = ("_censor", "attributes", "is_cut", "of_suite", "output", "pieces", "properties")

    def __init__(
        self, attributes: Mapping[str, str], *, of_suite: bool = False, censor: Callable[[str], str] = str
    ) -> None:
        self._censor = censor
        self.attributes = attributes
        self.of_suite = of_suite
        self.is_cut = False
        self.pieces: list[tuple[str, Piece]] = []
        self.output: LongText | None = None
        self.properties: list[tuple[str, str]] = []

    def open(self, tag: str, attributes: Mapping[str, str], *, inside: Piece | None) -> Sink | None:
        """Begin a child, inside a piece or directly in the case; return where its text goes, None for nowhere."""
        if tag in PIECES:
            if len(self.pieces) >= MOST_CHILDREN:
                self.is_cut = True
                return None
            piece = Piece(attributes, self._room(), self._censor)
            self.pieces.append((tag, piece))
            return Sink(piece.text, piece)
        if tag in OUTPUTS:  # inside <rerunFailure> it belongs to that attempt
            if inside:
                return Sink(inside.output, inside)
            self.output = self.output or LongText(censor=self._censor)
            return Sink(self.output, None)
        if tag == "property":
            self._keep_property(attributes)
        return Sink(inside.text, inside) if inside else None  # <stackTrace> inside <rerunFailure>

    def _keep_property(self, attributes: Mapping[str, str]) -> None:
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if len(self.properties) < MOST_CHILDREN and len(name) + len(value) <= LONGEST_PROPERTY:
            self.properties.append((name, value))
        else:
            self.is_cut = True

    def of(self, tags: Sequence[str]) -> list[Piece]:
        """Return the pieces with one of these tags, in order."""
        return [piece for tag, piece in self.pieces if tag in tags]

    def is_long(self) -> bool:
        """Say whether it had to be cut anywhere."""
        long_output = self.output is not None and self.output.is_cut
        return self.is_cut or long_output or any(piece.is_cut for _, piece in self.pieces)

    def _room(self) -> int:
        """Return how long the texts of one more piece may be: the first ones get all they need, later ones the rest."""
        spare = LONGEST_TEXT - sum(piece.kept() for _, piece in self.pieces) if self.pieces else LONGEST_TEXT
        return max(spare, LONGEST_REST)


class CaseRules(NamedTuple):
    """How the cases of one file are named, and which file that is."""

    source: str
    published: bool

    def cases(self, draft: Draft, *, suite: str) -> tuple[tuple[Case, ...], tuple[Note, ...]]:
        """Return the attempts of one case in order, and what is to be noted about it."""
        attributes = draft.attributes
        seconds, notes = _seconds(attributes.get("time"))
        name, classname = attributes.get("name", ""), attributes.get("classname", "")
        named = PublishedName(name) if self.published else published_name(name, classname)
        status, text = _ending(draft)
        case = Case(
            name=named.name,
            status=status,
            seconds=seconds,
            classname=classname if len(classname) <= LONGEST_NAME else classname[:LONGEST_NAME],
            text=text,
            output=draft.output.text() if draft.output else "",
            properties=tuple(draft.properties),
            changes=named.changes,
            suite=suite,
            source=self.source,
        )
        if not (draft.pieces or draft.output or draft.is_cut):  # nearly all
            return (case,), notes
        if draft.is_long():
            notes = (*notes, _CUT)
        earlier = (_failed(case, piece) for piece in draft.of(EARLIER))
        later = (_failed(case, piece) for piece in draft.of(LATER))
        return (*earlier, case, *later), notes


def _seconds(text: str | None) -> tuple[float, tuple[Note, ...]]:
    seconds = parse_seconds(text or "")
    if seconds is not None:
        return round(seconds, 6), ()
    if text is None:  # CTest says so of every test that did not run
        return 0.0, ()
    return 0.0, (Note("report.time", f'a case has time="{text[:40]}", which is no duration; 0 was taken'),)


def _ending(draft: Draft) -> tuple[Status, str]:
    """Return how the case's own attempt ended, and its failure text or skip reason."""
    if draft.pieces:
        if own := draft.of(FAILURES):
            return Status.FAILED, _reasons(own) or NO_TEXT
        if skips := draft.of((SKIPPED,)):
            return Status.SKIPPED, _reasons(skips)
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
        seconds=_seconds(piece.seconds)[0],
        output=piece.output.text(),
        properties=(),  # the case's; a hundred reruns would say them a hundred times
    )
