"""The folder of a site: files replaced one by one, each whole; what an earlier build made and this one did not, removed."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from upload.errors import DeadlineExceeded, ResultsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST = ".federated-e2e-site.json"
LOCK = ".federated-e2e-site.lock"
FORMAT = 1


@contextmanager
def locked(folder: Path, *, timeout_s: float = 120.0) -> Iterator[None]:
    """Hold the folder against another build of the same site. The folder is made when it is missing.

    Raises: UsageError when the folder holds files that no site build made; DeadlineExceeded when it stays locked.
    """
    with _errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(folder)
        lock = (folder / LOCK).open("a")
    with lock:
        _wait_for(lock.fileno(), folder, timeout_s)
        yield


def replace(folder: Path, files: Mapping[str, bytes]) -> int:
    """Make the folder hold ``files`` (relative path → content) and return how many had to be written.

    The manifest names old and new files before the first one is touched, so that a build that was cut off leaves
    nothing that the next one would not know. A file that already has its content is left alone.
    """
    with _errors_named(folder):
        old = _manifest(folder)
        _write_manifest(folder, old | set(files))
        written = sum(_write(folder / path, content) for path, content in files.items())
        for path in sorted(old - set(files)):
            _remove(folder, path)
        _write_manifest(folder, set(files))
        return written


@contextmanager
def _errors_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{error.filename or folder}: cannot write the site: {error.strerror}") from error


def _refuse_foreign(folder: Path) -> None:
    if (folder / MANIFEST).exists():
        return
    others = sorted(entry.name for entry in folder.iterdir() if entry.name != LOCK)
    if others:
        raise UsageError(
            f"{folder} holds files that no site build made, such as {others[0]}",
            hint="choose an empty or a new folder with --out",
        )


def _wait_for(descriptor: int, folder: Path, timeout_s: float) -> None:
    give_up = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > give_up:
                raise DeadlineExceeded(f"another build of the site in {folder}", timeout_s) from error
            time.sleep(0.1)
        else:
            return


def _manifest(folder: Path) -> set[str]:
    """Return what an earlier build made. A damaged manifest names nothing: then nothing is removed."""
    try:
        names = json.loads((folder / MANIFEST).read_bytes())["files"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if isinstance(name, str) and _is_inside(name)} if isinstance(names, list) else set()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _write_manifest(folder: Path, files: set[str]) -> None:
    content = json.dumps({"format": FORMAT, "files": sorted(files)}, indent=0).encode()
    _write(folder / MANIFEST, content)


def _write(path: Path, content: bytes) -> bool:
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _remove(folder: Path, name: str) -> None:
    """Remove one file of ours, and the folders that it leaves empty."""
    path = folder / name
    if not os.path.realpath(path.parent).startswith(os.path.realpath(folder)):
        return  # somebody put a link in its place
    path.unlink(missing_ok=True)
    for parent in path.relative_to(folder).parents[:-1]:
        try:
            (folder / parent).rmdir()
        except OSError:
            return
