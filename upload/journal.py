"""What has been stored already, on disk, so that a publish that was killed goes on instead of beginning again."""

from __future__ import annotations

import json
import os
import shlex
import threading
from pathlib import Path
from typing import Protocol, Self

from upload.errors import ResultsError


class Journal(Protocol):
    """Remembers the paths that are stored."""

    def has(self, path: str) -> bool:
        """Say whether an object was stored by this publish or the one it resumes."""

    def add(self, path: str) -> None:
        """Remember that an object is stored."""


class NoJournal:
    """Remembers nothing: what is there already is found out by the store's preconditions."""

    def has(self, path: str) -> bool:
        """Nothing is remembered."""
        return False

    def add(self, path: str) -> None:
        """Nothing is kept."""


class FileJournal:
    """One JSON string a line, appended and flushed; a half-written last line is ignored. Use as a context manager.

    The first line says what it is for (``subject``: store and build); a file for something else is refused.
    """

    def __init__(self, path: Path, subject: str) -> None:
        self._path = path
        self._subject = subject
        self._done: set[str] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Read what is there and open the file for more. Mode 0600. Raises ResultsError where that cannot be."""
        try:
            lines = self._read()
            if lines and lines[0] != self._subject:
                raise ResultsError(f"{self._path} belongs to {lines[0]}", hint=f"rm {shlex.quote(str(self._path))}")
            self._done = set(lines[1:])
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)
            self._file.write(b"\n")  # ends a half-written line
        except OSError as error:
            raise ResultsError(f"{self._path}: cannot be used: {error.strerror or error}") from error
        if not lines:
            self._append(self._subject)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file; it stays."""
        self._file.close()

    def has(self, path: str) -> bool:
        """Say whether an object was stored by this publish or the one it resumes."""
        with self._lock:
            return path in self._done

    def add(self, path: str) -> None:
        """Remember that an object is stored, also after kill -9."""
        with self._lock:
            self._done.add(path)
            self._append(path)

    def forget(self) -> None:
        """Remove the file: everything is stored."""
        self._path.unlink(missing_ok=True)

    def _append(self, text: str) -> None:
        try:
            self._file.write(json.dumps(text).encode() + b"\n")
        except OSError as error:
            raise ResultsError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _read(self) -> list[str]:
        lines = []
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return []
        for line in raw.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, str):
                lines.append(value)
        return lines
