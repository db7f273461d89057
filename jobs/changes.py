"""What the XML of Jenkins jobs would change: against a folder with that which was applied last."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from upload.errors import UsageError

CONFIG: Final = "config.xml"
LARGEST_BYTES: Final = 16 << 20


def applied_xml(folder: Path) -> dict[str, bytes]:
    """Return Jenkins job → XML of a folder: ``<job>/config.xml``, as jenkins-job-builder and Jenkins' home have it.

    Raises: UsageError for a folder that cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint=f"e2e jobs test --out {folder}")
    try:
        return {path.parent.name: _read(path) for path in sorted(folder.glob(f"*/{CONFIG}"))}
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be read: {error.strerror}") from error


def differences(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the lines of a unified diff, job by job. Carriage returns and blanks at the end of lines count as nothing."""
    for name in sorted({*old, *new}):
        before, after = _lines(old.get(name)), _lines(new.get(name))
        labels = (f"applied/{name}" if name in old else "/dev/null", f"rendered/{name}" if name in new else "/dev/null")
        yield from difflib.unified_diff(before, after, *labels, lineterm="")


def save(xml: Mapping[str, bytes], folder: Path) -> None:
    """Write jobs into a folder, for ``applied_xml``. Raises UsageError."""
    try:
        for name, content in xml.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / CONFIG).write_bytes(content)
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error


def _lines(content: bytes | None) -> list[str]:
    return [line.rstrip() for line in (content or b"").decode("utf-8", errors="replace").splitlines()]


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"{path}: larger than {LARGEST_BYTES} bytes")
    return content
