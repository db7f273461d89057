"""What has been stored already, on disk, so that a publish that was killed goes on instead of beginning again."""

from __future__ import annotations

import json
import os
import threading
from io import BytesIO
from pathlib import Path
from typing import Protocol, Self

from upload.errors import ResultsError
from upload.model import Put

_BLOCK_BYTES = 1 << 20


class Journal(Protocol):
    """Remembers what is stored."""

    def has(self, put: Put) -> bool:
        """Say whether this publish or the one it resumes has stored an object with just this body."""

    def add(self, put: Put) -> None:
        """Remember that an object is stored."""


class NoJournal:
    """Remembers nothing: what is there already is found out by the store's preconditions."""

    def has(self, put: Put) -> bool:
        """Nothing is remembered."""
        return False

    def add(self, put: Put) -> None:
        """Nothing is kept."""


class FileJournal:
    """A JSON line for each object, ``[path, checksum of its body]``, flushed; a half-written last line is ignored.

    The first line says what it is for (``subject``: store and build); a file for something else is refused.
    Use as a context manager.
    """

    def __init__(self, path: Path, subject: str) -> None:
        self._path = path
        self._subject = subject
        self._done: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Read what is there and open the file for more. Mode 0600."""
        subject, self._done = self._read()
        if subject not in ("", self._subject):
            raise ResultsError(f"{self._path} belongs to {subject}", hint=f"rm {self._path}")
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        self._file.write(b"\n")  # ends a half-written line
        if not subject:
            self._append(self._subject)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file; it stays."""
        self._file.close()

    def has(self, put: Put) -> bool:
        """Say whether this publish or the one it resumes has stored an object with just this body."""
        return bool(self._done) and (put.path, checksum(put.body)) in self._done

    def add(self, put: Put) -> None:
        """Remember that an object is stored, also after kill -9."""
        entry = (put.path, checksum(put.body))
        with self._lock:
            self._done.add(entry)
            self._append(entry)

    def forget(self) -> None:
        """Remove the file: everything is stored."""
        self._path.unlink(missing_ok=True)

    def _append(self, value: str | tuple[str, str]) -> None:
        try:
            self._file.write(json.dumps(value).encode() + b"\n")
        except OSError as error:
            raise ResultsError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _read(self) -> tuple[str, set[tuple[str, str]]]:
        """Return what the journal is for, empty for a new one, and what is stored."""
        subject, done = "", set()
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return "", set()
        for line in raw.splitlines():
            match _value(line):
                case str(text) if not subject:
                    subject = text
                case [str(path), str(mark)]:
                    done.add((path, mark))
        return subject, done


def checksum(body: bytes | Path) -> str:
    """Return size and CRC32C of what is published, before it is compressed. Raises ResultsError for a lost file."""
    import google_crc32c

    found, size_bytes = google_crc32c.Checksum(), 0  # type: ignore[no-untyped-call]  # ships no types
    try:
        with BytesIO(body) if isinstance(body, bytes) else body.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                found.update(block)  # type: ignore[no-untyped-call]  # ships no types
                size_bytes += len(block)
    except OSError as error:
        raise ResultsError(f"{body!s}: cannot be read: {error.strerror}") from error
    return f"{size_bytes}-{found.hexdigest().decode()}"  # type: ignore[no-untyped-call]  # ships no types


def _value(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
