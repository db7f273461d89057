"""From what stands inside one ``<testcase>`` to its attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from upload.durations import parse_seconds
from upload.model import Case, Status
from upload.names import published_name

FAILURES = ("failure", "error")
EARLIER = ("flakyFailure", "flakyError")
"""Surefire: attempts before the one that passed."""
LATER = ("rerunFailure", "rerunError")
"""Surefire: attempts after the one that failed first."""
OUTPUTS = ("system-out", "system-err")

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

    tag: str
    attributes: Mapping[str, str]
    text: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)

    def reason(self) -> str:
        """Return message and text as one, the message only if the text does not say it."""
        message = self.attributes.get("message", "")
        text = "".join(self.text)
        if not text.strip():
            text = ""
        if not message.strip() or message in text:
            return text or self.attributes.get("type", "")
        return f"{message}\n{text}" if text else message


class Draft:
    """A case while it is read: its attributes and what its children said so far."""

    def __init__(self, attributes: Mapping[str, str], *, of_suite: bool = False) -> None:
        self.attributes = attributes
        self.of_suite = of_suite
        self.pieces: list[Piece] = []
        self.skips: list[Piece] = []
        self.output: list[str] = []
        self.properties: list[tuple[str, str]] = []

    def open(self, tag: str, attributes: Mapping[str, str], *, inside: list[str] | None) -> list[str] | None:
        """Begin a child and return where its text goes; None: nowhere. ``inside`` is its parent's place."""
        if tag in (*FAILURES, *EARLIER, *LATER):
            self.pieces.append(Piece(tag, attributes))
            return self.pieces[-1].text
        if tag == "skipped":
            self.skips.append(Piece(tag, attributes))
            return self.skips[-1].text
        if tag in OUTPUTS:  # inside <rerunFailure> it belongs to that attempt
            nested = inside is not None and bool(self.pieces) and inside is self.pieces[-1].text
            return self.pieces[-1].output if nested else self.output
        if tag == "property":
            self.properties.append((attributes.get("name", ""), attributes.get("value", "")))
        return inside  # <stackTrace> inside <rerunFailure>


@dataclass(frozen=True, slots=True)
class CaseRules:
    """How the cases of one file are named, and which file that is."""

    source: str
    published: bool

    def cases(self, draft: Draft, *, suites: Sequence[str]) -> tuple[tuple[Case, ...], tuple[Note, ...]]:
        """Return the attempts of one case in order, and what is to be noted about it."""
        seconds, notes = _seconds(draft.attributes)
        name, classname = draft.attributes.get("name", ""), draft.attributes.get("classname", "")
        changes: tuple[str, ...] = ()
        if not self.published:
            name, changes = _named(name, classname)
        case = Case(
            name=name,
            status=Status.PASSED,
            seconds=seconds,
            classname=classname,
            output="".join(draft.output),
            properties=tuple(draft.properties),
            changes=changes,
            suite=" / ".join(suite for suite in suites if suite),
            source=self.source,
        )
        return _attempts(case, draft), notes


def _named(name: str, classname: str) -> tuple[str, tuple[str, ...]]:
    named = published_name(name, classname)
    return named.name, named.changes


def _seconds(attributes: Mapping[str, str]) -> tuple[float, tuple[Note, ...]]:
    text = attributes.get("time")
    seconds = parse_seconds(text or "")
    if seconds is not None:
        return round(seconds, 6), ()
    if text is None:  # also CTest's not-run tests; nothing to say about each
        return 0.0, ()
    return 0.0, (Note("junit.time", f'a case\'s time="{text[:40]}" is no duration; 0 was taken'),)


def _attempts(case: Case, draft: Draft) -> tuple[Case, ...]:
    """Return earlier failures, the case's own outcome, later failures: the order in which they happened."""
    earlier = [_failed(case, piece) for piece in draft.pieces if piece.tag in EARLIER]
    own = [piece for piece in draft.pieces if piece.tag in FAILURES]
    later = [_failed(case, piece) for piece in draft.pieces if piece.tag in LATER]
    return (*earlier, _final(case, own, draft), *later)


def _failed(case: Case, piece: Piece) -> Case:
    return _like(
        case,
        Status.FAILED,
        text=piece.reason() or NO_TEXT,
        seconds=parse_seconds(piece.attributes.get("time", "")) or 0.0,
        output="".join(piece.output),
    )


def _final(case: Case, own: Sequence[Piece], draft: Draft) -> Case:
    words = {draft.attributes.get(key, "").lower() for key in ("status", "result")}
    if own:
        reasons = [reason for piece in own if (reason := piece.reason())]
        return _like(case, Status.FAILED, text="\n\n".join(reasons) or NO_TEXT)
    if draft.skips:
        return _like(case, Status.SKIPPED, text="\n\n".join(r for piece in draft.skips if (r := piece.reason())))
    if words & _FAILED_WORDS:
        return _like(case, Status.FAILED, text=f"status: {' '.join(sorted(words & _FAILED_WORDS))}")
    if words & _SKIPPED_WORDS:
        return _like(case, Status.SKIPPED, text=" ".join(sorted(words & _SKIPPED_WORDS)))
    return case


def _like(case: Case, status: Status, *, text: str, seconds: float | None = None, output: str | None = None) -> Case:
    return Case(
        name=case.name,
        status=status,
        seconds=case.seconds if seconds is None else round(seconds, 6),
        classname=case.classname,
        text=text,
        output=case.output if output is None else output,
        properties=case.properties,
        changes=case.changes,
        suite=case.suite,
        source=case.source,
    )
