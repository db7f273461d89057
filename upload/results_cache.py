"""jobResultsCache.json: the list of a job's last builds, in the format that is found there. Pure.

Three formats are in the field: since 2017 one JSON list (``bootstrap.py``, last 300); 2016 the same list written one object a
line, which its writer edits with sed (``upload-to-gcs.sh``, last 200); and bare lines without the brackets.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum

from upload.documents import CacheEntry, load_json
from upload.errors import ResultsError
from upload.layout import as_integer


class CacheFormat(Enum):
    """How a cache is written."""

    LIST = "one JSON list"
    LINES = "a JSON list, one object a line"
    BARE_LINES = "one JSON object a line"


_KEPT_BUILDS = {CacheFormat.LIST: 300, CacheFormat.LINES: 200, CacheFormat.BARE_LINES: 200}
_LINE = re.compile(rb'^\s*(\{"version".*\})\s*,*\s*$')


@dataclass(frozen=True, slots=True)
class Cache:
    """The builds of a cache, newest last, as they were found; ``damaged``: not all of it could be read."""

    entries: tuple[object, ...] = ()
    format: CacheFormat = CacheFormat.LIST
    damaged: bool = False


def parse_cache(body: bytes) -> Cache:
    """Return what a cache holds. Never raises: of a damaged one, the lines that can be read are kept."""
    lines = [match[1] for line in body.splitlines() if (match := _LINE.match(line))]
    wanted = [line for line in body.splitlines() if line.strip() not in (b"", b"[", b"]")]
    by_line = bool(lines) and len(lines) == len(wanted)
    try:
        value = load_json(body, "jobResultsCache.json")
    except ResultsError:
        return _from_lines(
            lines, CacheFormat.LINES if body.lstrip().startswith(b"[") else CacheFormat.BARE_LINES, by_line
        )
    if isinstance(value, dict) and by_line:
        return Cache((value,), CacheFormat.BARE_LINES)
    if not isinstance(value, list):
        return Cache(damaged=True)
    return Cache(tuple(value), CacheFormat.LINES if by_line else CacheFormat.LIST)


def merge_cache(existing: bytes | None, entry: CacheEntry) -> bytes | None:
    """Return the cache with ``entry`` in it, or None when it need not change (it is there, or too old to be kept).

    Newest last: an entry goes before those of newer builds, so that publishers may finish in any order.
    """
    cache = parse_cache(existing) if existing else Cache()
    if any(_number(old) == entry.number for old in cache.entries):
        return None
    place = len(cache.entries)
    while place and _is_newer(cache.entries[place - 1], entry.number):
        place -= 1
    merged = [*cache.entries[:place], _document(entry, cache.format), *cache.entries[place:]][
        -_KEPT_BUILDS[cache.format] :
    ]
    if not any(_number(old) == entry.number for old in merged):
        return None
    return _render(merged, cache.format)


def has_entry(body: bytes, number: str) -> bool:
    """Say whether a cache names a build."""
    return any(_number(entry) == number for entry in parse_cache(body).entries)


def _from_lines(lines: list[bytes], fmt: CacheFormat, by_line: bool) -> Cache:
    entries = []
    for line in lines:
        try:
            entries.append(load_json(line, "line"))
        except ResultsError:
            by_line = False
    if not entries:
        return Cache(damaged=True)
    return Cache(tuple(entries), fmt, damaged=fmt is CacheFormat.LINES or not by_line)


def _document(entry: CacheEntry, fmt: CacheFormat) -> dict[str, object]:
    if fmt is not CacheFormat.LIST:
        return {"version": entry.version, "buildnumber": entry.number, "result": entry.result}
    return {
        "version": entry.version,
        "job-version": entry.version,
        "buildnumber": entry.number,
        "passed": entry.passed,
        "result": entry.result,
    }


def _render(entries: list[object], fmt: CacheFormat) -> bytes:
    if fmt is CacheFormat.LIST:
        return (json.dumps(entries) + "\n").encode()
    comma = "" if fmt is CacheFormat.BARE_LINES else ","
    text = f"{comma}\n".join(json.dumps(entry) for entry in entries) + "\n"
    return (text if fmt is CacheFormat.BARE_LINES else f"[\n{text}]\n").encode()


def _number(entry: object) -> str:
    value = entry.get("buildnumber") if isinstance(entry, dict) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _is_newer(entry: object, number: str) -> bool:
    there, own = as_integer(_number(entry)), as_integer(number)
    return there is not None and own is not None and there > own
