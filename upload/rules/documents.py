"""The rules of started.json, finished.json, jobResultsCache.json and latest-build.txt. Pure: bytes in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from upload.documents import load_object, parse_latest
from upload.errors import ResultsError
from upload.layout import as_integer
from upload.model import Finding
from upload.results_cache import parse_cache
from upload.rules.table import broken

RESULTS = ("SUCCESS", "FAILURE", "UNSTABLE", "ABORTED")


def check_started(path: str, body: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a started.json."""
    try:
        document = load_object(body, "started.json")
    except ResultsError as error:
        yield broken("started.json", path, str(error))
        return
    if not _is_integer(document.get("timestamp")):
        yield broken("started.timestamp", path, _wrong(document, "timestamp", "a JSON integer"))
    version = document.get("version")
    if not isinstance(version, str) or not version:
        yield broken("started.version", path, _wrong(document, "version", "a string"))
    for key in ("node", "revision", "repo-commit", "repo-version", "job-version", "pull"):
        if key in document and not isinstance(document[key], str):
            yield broken("started.text", path, _wrong(document, key, "a string"))
    if "repos" in document and not _is_flat(document["repos"]):
        yield broken("started.repos", path, _wrong(document, "repos", "an object of strings"))


def check_finished(path: str, body: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a finished.json."""
    try:
        document = load_object(body, "finished.json")
    except ResultsError as error:
        yield broken("finished.json", path, str(error))
        return
    if not _is_integer(document.get("timestamp")):
        yield broken("finished.timestamp", path, _wrong(document, "timestamp", "a JSON integer"))
    yield from _check_verdict(path, document)
    if "metadata" in document and not _is_flat(document["metadata"]):
        yield broken("finished.metadata", path, _wrong(document, "metadata", "a flat object of strings"))
    for key in ("version", "job-version", "repo-version", "revision"):
        if key in document and not isinstance(document[key], str):
            yield broken("finished.text", path, _wrong(document, key, "a string"))


def _check_verdict(path: str, document: dict[str, Any]) -> Iterator[Finding]:
    passed, result = document.get("passed"), document.get("result")
    if not isinstance(passed, bool):
        yield broken("finished.verdict", path, _wrong(document, "passed", "true or false"))
    if not isinstance(result, str) or result not in RESULTS:
        yield broken("finished.verdict", path, _wrong(document, "result", f"one of {', '.join(RESULTS)}"))
    elif isinstance(passed, bool) and passed != (result == "SUCCESS"):
        yield broken("finished.verdict", path, f"passed is {str(passed).lower()}, but result is {result}")


def check_cache(path: str, body: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a jobResultsCache.json, in any of its formats."""
    cache = parse_cache(body)
    if cache.damaged:
        yield broken("cache.json", path, "not all of it can be read; the next publish keeps the lines that can be")
    numbers = []
    for place, entry in enumerate(cache.entries, 1):
        number = entry.get("buildnumber") if isinstance(entry, dict) else None
        if not isinstance(number, str | int) or isinstance(number, bool):
            yield broken("cache.entry", path, f"entry {place} has no buildnumber")
            continue
        if not isinstance(entry, dict) or entry.get("result") not in RESULTS:
            yield broken("cache.entry", path, f"entry {place}, build {number}, has no result")
        numbers.append(as_integer(str(number)))
    known = [number for number in numbers if number is not None]
    if known != sorted(known):
        yield broken("cache.order", path, "the newest build is not the last")


def check_latest(path: str, body: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a latest-build.txt by itself."""
    number = parse_latest(body)
    if as_integer(number) is None:
        yield broken("latest.text", path, f"names {number[:40]!r}, which is no build id")


def started_s(body: bytes) -> int | None:
    """Return when a build began, UTC epoch, or None when its started.json does not say."""
    try:
        value = load_object(body, "started.json").get("timestamp")
    except ResultsError:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_flat(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _wrong(document: dict[str, Any], key: str, expected: str) -> str:
    if key not in document:
        return f"{key} is missing; {expected} is expected"
    value = document[key]
    if isinstance(value, dict):
        nested = [f"{name} is {_kind(item)}" for name, item in value.items() if not isinstance(item, str)]
        if nested:
            return f"{key} must be {expected}: {nested[0]}"
    return f"{key} is {_kind(value)}; {expected} is expected"


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "an integer", float: "a float"}
    return names.get(type(value), "null")
