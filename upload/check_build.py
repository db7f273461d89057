"""Check one build of a store against the rules: list it once, read its documents and the files taken for JUnit.

Memory is bounded: small files are read several at once, large ones one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from upload.documents import LARGEST_DOCUMENT_BYTES
from upload.errors import StoreError, TooLarge
from upload.layout import FINISHED, LARGEST_JUNIT_BYTES, STARTED, check_number, is_junit_path
from upload.model import Finding
from upload.rules.documents import check_finished, check_started, started_s
from upload.rules.junit import check_junit
from upload.rules.table import broken
from upload.rules.tree import check_names, check_presence
from upload.store.base import Entry, Store

SMALL_BYTES = 8 * 1024 * 1024

Check = Callable[[str, bytes], Iterable[Finding]]
_one_large = Lock()


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was found in one build. ``objects``: how many it has."""

    findings: tuple[Finding, ...]
    is_finished: bool
    objects: int


def check_build(store: Store, folder: str, number: str, now_s: int) -> BuildReport:
    """Return what is wrong with a build. ``folder`` ends in ``/`` or is empty. Never raises for what is stored."""
    try:
        entries = [e for e in store.list(folder) if not e.is_folder]  # consoles make empty objects for folders
    except StoreError as error:
        return BuildReport((broken("object.unreadable", folder, str(error)),), False, 0)
    names = [e.path[len(folder) :] for e in entries]
    findings = [*check_number(number)]
    began = None
    if STARTED in names:
        body, found = read_checked(store, folder + STARTED, check_started)
        began = started_s(body) if body is not None else None
        findings += found
    findings += check_presence(folder, names, began, now_s)
    if FINISHED in names:
        findings += read_checked(store, folder + FINISHED, check_finished)[1]
    findings += check_names(folder, names)
    for name, entry in zip(names, entries, strict=True):
        if is_junit_path(name):
            findings += _check_junit(store, entry)
    return BuildReport(tuple(findings), FINISHED in names, len(names))


def read_checked(store: Store, path: str, check: Check) -> tuple[bytes | None, list[Finding]]:
    """Read and check one document. One that cannot be read costs itself a finding; the walk goes on."""
    try:
        return _read_checked(store, path, check, LARGEST_DOCUMENT_BYTES)
    except TooLarge as error:
        return None, [broken("object.unreadable", path, str(error))]


def _check_junit(store: Store, entry: Entry) -> list[Finding]:
    if entry.size_bytes > LARGEST_JUNIT_BYTES:
        return [_too_large(entry.path, f"{entry.size_bytes:,} bytes")]
    if entry.size_bytes <= SMALL_BYTES:
        with suppress(TooLarge):  # compressed: what is listed is the size as stored
            return _read_checked(store, entry.path, check_junit, SMALL_BYTES)[1]
    with _one_large:
        try:
            return _read_checked(store, entry.path, check_junit, LARGEST_JUNIT_BYTES)[1]
        except TooLarge:
            return [_too_large(entry.path, "more bytes once decompressed")]


def _read_checked(store: Store, path: str, check: Check, limit_bytes: int) -> tuple[bytes | None, list[Finding]]:
    try:
        stored = store.read(path, limit_bytes=limit_bytes)
    except TooLarge:
        raise
    except StoreError as error:
        return None, [broken("object.unreadable", path, str(error))]
    if stored is None:
        return None, [broken("object.unreadable", path, "listed, but not there")]
    return stored.body, list(check(path, stored.body))


def _too_large(path: str, what: str) -> Finding:
    return broken("junit.size", path, f"{what}; {LARGEST_JUNIT_BYTES:,} at most are read")
