"""The folder of finished programs. An entry is complete or absent, and two processes never make the same one.

    <root>/<program>/<version>-<os>-<arch>[-<variant>]/{<program>,origin.json}    an entry
    <root>/tmp/<entry>.XXXX/                                                       one that is being made
    <root>/locks/<entry>                                                           who makes it

An entry is one folder, so that one rename publishes the program together with where it came from.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from providers.contracts import Deadline
from providers.locks import lock
from upload.errors import ProviderError

UNUSED_S = 60 * 86400
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What tells entries apart. ``variant`` is empty for an official release, else what makes this one special."""

    program: str
    version: str
    platform: str
    variant: str = ""

    @property
    def name(self) -> str:
        """Return the entry's folder name."""
        parts = (self.version, self.platform.replace("/", "-"), self.variant)
        return "-".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Found:
    """A finished program: its path, and where it once came from."""

    path: Path
    origin: str


class Cache:
    """The cache below one folder, which is made with mode 0700 when something is first written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, key: Key) -> Found | None:
        """Return the entry, or None. Raises ProviderError when the folder cannot be read."""
        entry = self._entry(key)
        try:
            told = json.loads((entry / "origin.json").read_bytes())
            size_bytes = (entry / key.program).stat().st_size
            if size_bytes != told["size_bytes"]:  # a disk that lost data; made again below the same name
                return None
            _touch(entry)
            return Found(entry / key.program, str(told["origin"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return None
        except OSError as exc:
            raise _broken(self.root, "cannot be read", exc) from exc

    @contextmanager
    def locked(self, keys: Sequence[Key], deadline: Deadline) -> Iterator[None]:
        """Hold the locks of these entries. The kernel frees them when the holder dies.

        They are taken in one order everywhere, so that two processes never wait for each other.
        Raises: DeadlineExceeded when another process keeps one for too long; ProviderError.
        """
        with ExitStack() as held:
            for key in sorted(set(keys)):
                held.enter_context(self._locked(key, deadline))
            yield

    @contextmanager
    def _locked(self, key: Key, deadline: Deadline) -> Iterator[None]:
        folder = self._folder("locks")
        try:
            handle = os.open(folder / f"{key.program}-{key.name}", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise _broken(self.root, "cannot be written", exc) from exc
        try:
            lock(handle, deadline)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def staging(self, key: Key) -> Iterator[Path]:
        """Give an empty folder on the cache's own disk, and remove it with whatever is still in it.

        The caller holds the lock of ``key``: what a killed holder left below this name is removed first.
        Raises: ProviderError when the disk is full, also for an OSError of the caller's own writes in it.
        """
        parent = self._folder("tmp")
        prefix = f"{key.program}-{key.name}."
        folder: Path | None = None
        try:
            for stale in parent.glob(f"{prefix}*"):
                shutil.rmtree(stale, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            yield folder
        except OSError as exc:
            raise _broken(self.root, "cannot be written", exc) from exc
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, key: Key, program: Path, origin: str) -> Path:
        """Make ``program``, a finished file in a staging folder, the entry of ``key``, and return its new path.

        Everything is on disk before the rename, so that a power cut leaves the entry complete or absent.
        """
        entry = self._entry(key)
        try:
            made = Path(tempfile.mkdtemp(prefix="entry.", dir=program.parent))
            program.chmod(0o700)
            program.rename(made / key.program)
            told = {"origin": origin, "size_bytes": (made / key.program).stat().st_size}
            (made / "origin.json").write_text(json.dumps(told) + "\n", encoding="utf-8")
            for path in (made / key.program, made / "origin.json", made):
                _sync(path)
            entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if entry.exists():  # only a damaged one gets here
                entry.rename(made.with_name(f"{made.name}.old"))
            made.rename(entry)
            _sync(entry.parent)
        except OSError as exc:
            raise _broken(self.root, "cannot be written", exc) from exc
        self._forget_unused(key.program)
        return entry / key.program

    def _forget_unused(self, program: str) -> None:
        """Remove entries that nobody used for two months: nightly CI builds would fill the disk."""
        oldest = time.time() - UNUSED_S
        for entry in (self.root / program).iterdir():
            try:
                if entry.stat().st_mtime < oldest:
                    shutil.rmtree(entry, ignore_errors=True)
            except OSError:
                continue

    def _entry(self, key: Key) -> Path:
        return self.root / key.program / key.name

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            status = self.root.stat()
            if status.st_uid == os.geteuid() and status.st_mode & 0o077:
                self.root.chmod(0o700)
            folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as exc:
            raise _broken(self.root, "cannot be written", exc) from exc
        if status.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
            raise ProviderError(
                f"the cache {self.root} belongs to another user: programs from there are not run",
                hint="export E2E_CACHE_DIR=/a/folder/of/yours",
            )
        return folder


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _touch(entry: Path) -> None:
    try:
        os.utime(entry)
    except OSError:  # a read-only cache is fine
        return


def _broken(root: Path, what: str, exc: OSError) -> ProviderError:
    if exc.errno in _FULL:
        return ProviderError(
            f"the disk of the cache {root} is full ({exc.strerror})",
            hint="free about 1 GB there, or export E2E_CACHE_DIR=/a/folder/with/space",
        )
    return ProviderError(
        f"the cache {root} {what}: {exc.strerror or exc}", hint="export E2E_CACHE_DIR=/a/folder/of/yours"
    )
