"""Walk a folder that anybody may have filled, and say of each thing in it what becomes of it.

a regular file                             published under its path
a link to a regular file of the folder     published as a copy under the link's name
a link out of the folder, or broken        left out, finding ``artifact.link``
a link to a folder                         left out, finding ``artifact.link`` (what it shows is found elsewhere)
a device, FIFO or socket                   left out, finding ``artifact.kind``; never opened
unreadable, or gone when it is read        left out, finding ``artifact.unreadable``, an error when it is a report
a name with control characters, backslash, bytes that are not UTF-8, or a leading dash
                                           published with those bytes as ``%0A``, finding ``artifact.name``
a path above the limit (room for the build's own folder within the store's 1,024 bytes)
                                           published as ``long-names/<hash>-<end of the name>``, same finding
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from upload.model import Finding, Severity

LONG_NAMES = "long-names"
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\\\\\u2028\u2029\udc80-\udcff]|^-")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a folder is taken, in bytes.

    ``file_bytes``: of a larger file only its two ends. ``unpacked_bytes``: a ``.gz`` that holds more is left out.
    ``path_bytes``: longest path below ``artifacts/``. ``shard_bytes``: size that no JUnit shard reaches.
    """

    file_bytes: int = 4 << 30
    unpacked_bytes: int = 1 << 30
    path_bytes: int = 800
    shard_bytes: int = 100_000_000


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file to publish. ``path``: as published, below ``artifacts/``; ``place``: where it lies."""

    path: str
    place: str


def walk(folder: Path, *, limits: Limits) -> Iterator[FoundFile | Finding]:
    """Yield what is in ``folder`` in the order of its names, depth first: files to publish, findings about the rest.

    Raises OSError when ``folder`` itself cannot be listed.
    """
    root = os.path.realpath(folder)
    taken: set[str] = set()
    stack = list(reversed(_listed(root)))
    while stack:
        entry = stack.pop()
        raw = os.path.relpath(entry.path, root)
        if entry.is_dir(follow_symlinks=False):
            try:
                stack.extend(reversed(_listed(entry.path)))
            except OSError as exc:
                yield left_out("artifact.unreadable", raw, f"the folder cannot be listed: {exc.strerror}")
            continue
        place = _place(entry, raw, root)
        if isinstance(place, Finding):
            yield place
            continue
        path = _unused(_published_path(raw, limits.path_bytes), raw, taken)
        taken.add(path)
        if path != raw:
            what = f"published as {path}; a store or a reader breaks on the name"
            yield Finding("artifact.name", safe_path(raw), what, severity=Severity.WARNING)
        yield FoundFile(path, place)


def open_regular(place: str) -> BinaryIO:
    """Open a regular file for reading, never a link, device or FIFO that took its place meanwhile (OSError)."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no regular file any more", place)
    return os.fdopen(descriptor, "rb")


def safe_path(raw: str) -> str:
    """Return a path as UTF-8 without control characters, backslashes and leading dashes: those bytes as ``%0A``."""
    return "/".join(_UNSAFE.sub(_percent, part) for part in raw.split("/"))


def left_out(rule: str, raw: str, why: str) -> Finding:
    """Return the finding about something that is not published."""
    return Finding(rule, safe_path(raw)[:300], f"left out: {why}", severity=Severity.WARNING)


def _listed(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _place(entry: os.DirEntry[str], raw: str, root: str) -> str | Finding:
    if entry.is_symlink():
        return _target(entry.path, raw, root)
    if entry.is_file(follow_symlinks=False):
        return entry.path
    return left_out("artifact.kind", raw, "it is a device, FIFO or socket")


def _target(link: str, raw: str, root: str) -> str | Finding:
    target = os.path.realpath(link)
    if os.path.commonpath((root, target)) != root:
        return left_out("artifact.link", raw, "it links out of the folder")
    try:
        mode = os.lstat(target).st_mode
    except OSError:
        return left_out("artifact.link", raw, "it links to nothing")
    if stat.S_ISREG(mode):
        return target
    if stat.S_ISDIR(mode):
        return left_out("artifact.link", raw, "it links to a folder")
    if stat.S_ISLNK(mode):  # all that realpath could resolve of a loop
        return left_out("artifact.link", raw, "it links to itself")
    return left_out("artifact.kind", raw, "it links to a device, FIFO or socket")


def _published_path(raw: str, limit: int) -> str:
    path = safe_path(raw)
    encoded = path.encode()
    if len(encoded) <= limit:
        return path
    digest = hashlib.sha256(os.fsencode(raw)).hexdigest()[:16]
    end = path.rsplit("/", 1)[-1].encode()[-100:].decode("utf-8", "ignore")
    return f"{LONG_NAMES}/{digest}-{end}"


def _unused(path: str, raw: str, taken: set[str]) -> str:
    """Return ``path``, or with a hash of the real name before it when another file has been given it already."""
    if path not in taken:
        return path
    return f"{LONG_NAMES}/{hashlib.sha256(os.fsencode(raw)).hexdigest()[:16]}-{path.rsplit('/', 1)[-1]}"


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8", "surrogateescape"))
