"""started.json, finished.json, jobResultsCache.json and latest-build.txt: values to bytes and back, and their merges.

Pure. The keys and types are those of consumers.md section 1: each was read from a reader's source.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from upload.errors import Outcome, ResultsError
from upload.layout import as_integer, printable

LARGEST_DOCUMENT_BYTES = 4 * 1024 * 1024
UNKNOWN_VERSION = "unknown"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Started:
    """What is known when a build begins.

    ``timestamp_s``: UTC epoch. ``version``: of what is tested, ``unknown`` if nobody knows (2016 Gubernator cannot
    show a build without one). ``revision`` is the version again unless said otherwise. ``repos``: repository → ref.
    ``claim``: a random text that tells this claim from another one of the same second; readers ignore the key.
    """

    timestamp_s: int
    node: str
    version: str = UNKNOWN_VERSION
    revision: str = ""
    repo_commit: str = ""
    repos: Pairs = ()
    claim: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a build came to. ``metadata``: flat pairs of strings, ``job-version`` is added. ``timestamp_s``: UTC epoch."""

    timestamp_s: int
    passed: bool
    result: str
    version: str = UNKNOWN_VERSION
    revision: str = ""
    metadata: Pairs = ()

    @classmethod
    def from_outcome(cls, outcome: Outcome, timestamp_s: int, version: str, metadata: Pairs = ()) -> Finished:
        """Return the document of an outcome. One that has no result of its own is published as a failure."""
        ending = outcome.value
        return cls(
            timestamp_s=timestamp_s,
            passed=bool(ending.passed),
            result=ending.result or "FAILURE",
            version=version,
            metadata=metadata,
        )


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One build in jobResultsCache.json."""

    number: str
    version: str
    passed: bool
    result: str


def render_started(started: Started) -> bytes:
    """Return started.json. The inverse is ``parse_started``."""
    document: dict[str, object] = {
        "timestamp": started.timestamp_s,
        "node": started.node,
        "version": started.version,
        "revision": started.revision or started.version,
    }
    if started.repo_commit:
        document["repo-commit"] = started.repo_commit
    if started.repos:
        document["repos"] = dict(started.repos)
    if started.claim:
        document["claim"] = started.claim
    return _dump(document)


def parse_started(body: bytes) -> Started:
    """Return a started.json of ours. Raises ResultsError when it is none."""
    document = load_object(body, "started.json")
    return Started(
        timestamp_s=_integer(document, "timestamp", "started.json"),
        node=_text(document, "node"),
        version=_text(document, "version") or UNKNOWN_VERSION,
        revision=_text(document, "revision"),
        repo_commit=_text(document, "repo-commit"),
        repos=_pairs(document.get("repos")),
        claim=_text(document, "claim"),
    )


def render_finished(finished: Finished) -> bytes:
    """Return finished.json, always with both ``passed`` and ``result``. The inverse is ``parse_finished``."""
    metadata = {"job-version": finished.version, **dict(finished.metadata)}
    return _dump(
        {
            "timestamp": finished.timestamp_s,
            "passed": finished.passed,
            "result": finished.result,
            "version": finished.version,
            "job-version": finished.version,
            "revision": finished.revision or finished.version,
            "metadata": metadata,
        }
    )


def parse_finished(body: bytes) -> Finished:
    """Return a finished.json of ours. Raises ResultsError when it is none."""
    document = load_object(body, "finished.json")
    if not isinstance(document.get("passed"), bool) or not isinstance(document.get("result"), str):
        raise ResultsError("finished.json: passed and result must both be there")
    return Finished(
        timestamp_s=_integer(document, "timestamp", "finished.json"),
        passed=document["passed"],
        result=document["result"],
        version=_text(document, "version") or UNKNOWN_VERSION,
        revision=_text(document, "revision"),
        metadata=_pairs(document.get("metadata")),
    )


def same_but_for_time(one: bytes, other: bytes) -> bool:
    """Say whether two documents tell the same, their ``timestamp`` apart. What cannot be read is never the same."""
    try:
        first, second = load_object(one, "one"), load_object(other, "other")
    except ResultsError:
        return False
    return {**first, "timestamp": 0} == {**second, "timestamp": 0}


def render_latest(number: str) -> bytes:
    """Return latest-build.txt."""
    return f"{number}\n".encode()


def parse_latest(body: bytes) -> str:
    """Return the build id that latest-build.txt names; not checked, and empty when the file is."""
    return body[:1024].decode("utf-8", "replace").strip()


def advance_latest(existing: bytes | None, number: str) -> bytes | None:
    """Return latest-build.txt with ``number`` in it, or None when it must stay: it names a newer build, or no integer."""
    there = parse_latest(existing) if existing is not None else ""
    if there and ((newest := as_integer(there)) is None or newest >= int(number)):
        return None
    return render_latest(number)


def load_object(body: bytes, name: str) -> dict[str, Any]:
    """Return a JSON object from hostile bytes. Raises ResultsError: too large, no JSON, too deep, or no object."""
    value = load_json(body, name)
    if not isinstance(value, dict):
        raise ResultsError(f"{name}: a JSON object is expected, found {type(value).__name__}")
    return value


def load_json(body: bytes, name: str) -> object:
    """Return a JSON value from hostile bytes. Raises ResultsError: too large, no JSON, or nested too deep."""
    if len(body) > LARGEST_DOCUMENT_BYTES:
        raise ResultsError(f"{name}: {len(body)} bytes; {LARGEST_DOCUMENT_BYTES} at most are read")
    try:
        return json.loads(body, parse_constant=_no_constant)
    except RecursionError as exc:
        raise ResultsError(f"{name}: nested too deep") from exc
    except (ValueError, UnicodeDecodeError) as exc:
        raise ResultsError(f"{name}: no whole JSON: {printable(str(exc), 120)}") from exc


def _no_constant(text: str) -> object:
    message = f"{text} is no JSON"
    raise ValueError(message)


def _dump(document: dict[str, object]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()


def _integer(document: dict[str, Any], key: str, name: str) -> int:
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ResultsError(f"{name}: {key} must be a JSON integer")
    return value


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _pairs(value: object) -> Pairs:
    if not isinstance(value, dict):
        return ()
    return tuple((key, item) for key, item in value.items() if isinstance(item, str))
