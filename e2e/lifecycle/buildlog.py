"""``build-log.txt``: everything a run says, in order, in one file of its artifacts."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from upload.errors import HarnessError


class BuildLog:
    """Appends to the build log. Safe from several threads; a line is written whole and at once.

    A full disk must not end a run before its cluster is down: what cannot be written is counted in ``lost``.
    """

    def __init__(self, path: Path, *, now_s: Callable[[], float]) -> None:
        self.path = path
        self.lost = 0
        self._now_s = now_s
        self._in_line = False
        self._lock = threading.Lock()
        try:
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as exc:
            raise HarnessError(f"{path} cannot be written: {exc.strerror or exc}") from exc

    def line(self, text: str) -> None:
        """Write lines of our own, each with the time."""
        stamp = datetime.fromtimestamp(self._now_s(), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines = "".join(f"{stamp} {line}\n" for line in text.splitlines() or [""])
        self.plain(f"\n{lines}" if self._in_line else lines)

    def plain(self, text: str) -> None:
        """Write text as it is: what a program printed, with its line ends."""
        self._in_line = not text.endswith("\n") if text else self._in_line
        rest = memoryview(text.encode("utf-8", "replace"))
        with self._lock:
            while rest:
                try:
                    rest = rest[os.write(self._handle, rest) :]
                except OSError:
                    self.lost += 1
                    return

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)
