"""``started.json`` and ``finished.json`` as other parties really write them: bytes to values, wrong types to findings."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from upload.model import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

LATEST_S = 253_402_300_799  # the end of the year 9999
MOST_METADATA = 200
LONGEST_VALUE = 2_000

# Where TestGrid looks for a column's commit, first non-empty wins (consumers.md section 1).
_COMMIT_FROM = (
    ("finished", "job-version"),
    ("started", "job-version"),
    ("started", "repo-version"),
    ("finished", "repo-version"),
    ("metadata", "revision"),
    ("metadata", "repo-commit"),
    ("metadata", "job-version"),
    ("started", "repo-commit"),
)


@dataclass(frozen=True, slots=True)
class Record:
    """The two documents of a build, read as far as they can be. ``is_finished``: finished.json is a JSON object."""

    started_s: int | None = None
    finished_s: int | None = None
    is_finished: bool = False
    passed: bool | None = None
    result: str = ""
    version: str = ""
    commit: str = ""
    node: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    finished_version: str = ""
    repo_commit: str = ""
    repos: str = ""


def read_record(started: bytes | None, finished: bytes | None, *, where: str) -> Record:
    """Return what the documents say. None: the object is missing. ``where`` is the build's folder, for findings."""
    reader = _Reader(where)
    first = reader.document("started.json", started)
    last = reader.document("finished.json", finished)
    metadata = reader.metadata(last if "metadata" in last else first)
    passed = last.get("passed")
    if passed is not None and not isinstance(passed, bool):
        reader.wrong("finished.passed", "finished.json", f"'passed' is {_kind(passed)}, not true or false")
        passed = None
    has_finished = finished is not None and reader.is_object("finished.json")
    return Record(
        started_s=reader.time("started.json", first),
        finished_s=reader.time("finished.json", last),
        is_finished=has_finished,
        passed=passed,
        result=reader.text("finished.json", last, "result"),
        version=reader.text("finished.json", last, "version") or reader.text("started.json", first, "version"),
        commit=_commit({"started": first, "finished": last, "metadata": dict(metadata)}),
        node=reader.text("started.json", first, "node") or reader.text("started.json", first, "jenkins-node"),
        metadata=metadata,
        findings=tuple(reader.findings),
        finished_version=_plain(last.get("version")),
        repo_commit=_plain(first.get("repo-commit")) or _plain(first.get("repo-version")),
        repos=_repos(first.get("repos")) or _repos_of(last if "metadata" in last else first),
    )


class _Reader:
    def __init__(self, where: str) -> None:
        self.where = where
        self.findings: list[Finding] = []
        self.broken: set[str] = set()

    def wrong(self, rule: str, name: str, what: str, severity: Severity = Severity.ERROR) -> None:
        self.findings.append(Finding(rule, f"{self.where}/{name}", what, severity=severity))

    def is_object(self, name: str) -> bool:
        return name not in self.broken

    def document(self, name: str, content: bytes | None) -> Mapping[str, object]:
        rule = name.removesuffix(".json")
        if content is None:
            if name == "started.json":
                self.wrong(f"{rule}.missing", name, "the build has no started.json")
            return {}
        try:
            document = json.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            self.wrong(f"{rule}.json", name, f"not JSON: {str(error)[:200]}")
        else:
            if isinstance(document, dict):
                return document
            self.wrong(f"{rule}.json", name, f"a JSON object was expected, not {_kind(document)}")
        self.broken.add(name)
        return {}

    def time(self, name: str, document: Mapping[str, object]) -> int | None:
        """Return the timestamp; a numeric text or a fraction is read, and said to be wrong."""
        rule = f"{name.removesuffix('.json')}.timestamp"
        value = document.get("timestamp")
        if value is None:
            if document:
                self.wrong(rule, name, "'timestamp' is missing")
            return None
        seconds = _seconds(value)
        if seconds is None:
            self.wrong(rule, name, f"'timestamp' is {_kind(value)}, no time between 1970 and 9999")
        elif isinstance(value, bool) or not isinstance(value, int):
            self.wrong(rule, name, f"'timestamp' is {_kind(value)}, not an integer")
        return seconds

    def text(self, name: str, document: Mapping[str, object], key: str) -> str:
        value = document.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.wrong(f"{name.removesuffix('.json')}.{key}", name, f"'{key}' is {_kind(value)}, not text")
            return ""
        return value[:LONGEST_VALUE]

    def metadata(self, document: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
        value = document.get("metadata")
        if value is None:
            return ()
        if not isinstance(value, dict):
            self.wrong("finished.metadata", "finished.json", f"'metadata' is {_kind(value)}, not an object of texts")
            return ()
        wrong = sorted(key for key, item in value.items() if not isinstance(item, str))
        if wrong:
            self.wrong("finished.metadata", "finished.json", f"metadata that is not text: {', '.join(wrong)[:200]}")
        pairs = [(key, item if isinstance(item, str) else json.dumps(item)) for key, item in sorted(value.items())]
        return tuple((key[:LONGEST_VALUE], item[:LONGEST_VALUE]) for key, item in pairs[:MOST_METADATA])


def _seconds(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, (int, float)) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return int(value) if 0 < value <= LATEST_S else None


def _commit(sources: Mapping[str, Mapping[str, object]]) -> str:
    """Return the text after the first ``+``, nine characters, as TestGrid's column header does."""
    for document, key in _COMMIT_FROM:
        value = sources[document].get(key)
        if isinstance(value, str) and value:
            return value.partition("+")[2][:9] or value[:9]
    return ""


def _plain(value: object) -> str:
    return value[:LONGEST_VALUE] if isinstance(value, str) else ""


def _repos(value: object) -> str:
    """Return kettle's text of ``repos``. One that is too long is left out: cut, it would be no JSON."""
    text = json.dumps(value) if value else ""
    return text if len(text) <= LONGEST_VALUE else ""


def _repos_of(document: Mapping[str, object]) -> str:
    """Return the ``repos`` of a document's metadata; kettle takes no text for them."""
    metadata = document.get("metadata")
    value = metadata.get("repos") if isinstance(metadata, dict) else None
    return "" if isinstance(value, str) else _repos(value)


def _kind(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a fraction",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")
