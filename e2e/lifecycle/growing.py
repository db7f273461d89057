"""Reads a file to which another process still writes, line by line."""

from __future__ import annotations

from pathlib import Path


def whole_lines(file: Path, offset: int) -> bytes:
    """Return the whole lines behind ``offset`` bytes; nothing while there is no file. The rest is still being written."""
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            new = stream.read()
    except FileNotFoundError:
        return b""
    return new[: new.rfind(b"\n") + 1]
