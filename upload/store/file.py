"""A store in a folder, with the same promises as a bucket: atomic writes, preconditions, listings by prefix.

Create-only is a hard link from a finished temporary file, which the kernel refuses when the name exists. Replacing takes
a lock (``.store.lock`` in the root, never listed), compares the generation and renames. A generation is the file's
modification time in nanoseconds, pushed past the one replaced, so two writes in one tick differ too.
Files get mode 0644 and folders 0755: a bucket is world-readable, and this is one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat as modes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO

from upload.errors import PreconditionFailed, ResultsError, StoreError, TooLarge
from upload.layout import check_object_name, content_type, printable
from upload.model import Put
from upload.store.base import READ_LIMIT_BYTES, Entry, ObjectStat, Stored

_HIDDEN = ".store."  # temporary files and the lock begin with it and are never listed
_LOCK = f"{_HIDDEN}lock"
_BLOCK_BYTES = 1024 * 1024
_COARSE_TICK_NS = 2_000_000_000  # the coarsest clock of a file system in use


class FileStore:
    """A store in a folder, made when it is first written to."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))  # noqa: PTH100  # resolve() would follow a link that the user meant

    @property
    def uri(self) -> str:
        """The folder as a ``file://`` address."""
        return self._root.as_uri()

    def uri_of(self, path: str) -> str:
        """Return the ``file://`` address of an object."""
        end = "/" if path.endswith("/") else ""
        return (self._root / path).as_uri() + end if path else self.uri

    def read(self, path: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> Stored | None:
        """Return a file's bytes, or None."""
        opened = self._open(path)
        if opened is None:
            return None
        with opened as file, self._mapped(path, "read"):
            body = file.read(limit_bytes + 1)
            if len(body) > limit_bytes:
                raise TooLarge(self.uri_of(path), limit_bytes)
            return Stored(body, os.fstat(file.fileno()).st_mtime_ns)

    def read_into(self, path: str, target: BinaryIO, *, limit_bytes: int) -> int | None:
        """Copy a file into another one and return its generation, or None."""
        opened = self._open(path)
        if opened is None:
            return None
        with opened as file, self._mapped(path, "read"):
            left_bytes = limit_bytes
            while block := file.read(_BLOCK_BYTES):
                left_bytes -= len(block)
                if left_bytes < 0:
                    raise TooLarge(self.uri_of(path), limit_bytes)
                target.write(block)
            return os.fstat(file.fileno()).st_mtime_ns

    def stat(self, path: str) -> ObjectStat | None:
        """Return a file's size and generation, or None. Content types are those of the name."""
        opened = self._open(path)
        if opened is None:
            return None
        with opened as file:
            return self._describe(path, os.fstat(file.fileno()))

    def list(self, prefix: str = "", *, delimiter: str = "", start_offset: str = "") -> Iterator[Entry]:
        """Yield files below a prefix in the order of a bucket. Links and special files are no objects."""
        folder = prefix[: prefix.rfind("/") + 1]
        for entry in self._walk(folder, prefix, start_offset, deep=not delimiter):
            if entry.path >= start_offset or entry.is_folder:
                yield entry

    def put(self, put: Put, *, replaces: int = 0) -> ObjectStat:
        """Write a file, only if its generation is ``replaces``. Two writers at once: one of them fails."""
        target = self._place(put.path)
        with self._mapped(put.path, "written", hint=f"test -w {self._root} && df -h {self._root}"):
            if not replaces and target.is_file():  # spares the copy; the link decides when there is none yet
                self._check_same(put)
                return self._describe(put.path, target.lstat())
            self._make_folders(target.parent)
            with _temporary(target.parent, put.body) as temporary:
                stored = (
                    self._create(put, temporary, target)
                    if not replaces
                    else self._replace(put, temporary, target, replaces)
                )
            _sync_folder(target.parent)
        return self._describe(put.path, stored)

    def holds(self, put: Put) -> bool:
        """Compare a file byte by byte."""
        opened = self._open(put.path)
        if opened is None:
            return False
        with opened as there, _source(put.body) as own, self._mapped(put.path, "read"):
            while True:
                block = own.read(_BLOCK_BYTES)
                if block != there.read(_BLOCK_BYTES):
                    return False
                if not block:
                    return True

    def remove(self, path: str) -> None:
        """Remove a file, and the folders that are empty then."""
        target = self._place(path)
        if self._escapes(target.parent):
            raise StoreError(self.uri_of(path), 0, "leads out of the store")
        with self._mapped(path, "removed"):
            target.unlink(missing_ok=True)
        for folder in target.relative_to(self._root).parents[:-1]:
            with suppress(OSError):  # it holds something else
                (self._root / folder).rmdir()

    def _create(self, put: Put, temporary: Path, target: Path) -> os.stat_result:
        try:
            os.link(temporary, target)
        except FileExistsError:
            self._check_same(put)
        return target.lstat()

    def _check_same(self, put: Put) -> None:
        if not self.holds(put):
            raise PreconditionFailed(self.uri_of(put.path), "exists already, with other content")

    def _replace(self, put: Put, temporary: Path, target: Path, replaces: int) -> os.stat_result:
        with self._locked():
            there = self.stat(put.path)
            if there is None or there.generation != replaces:
                if there is not None and self.holds(put):
                    return target.lstat()
                raise PreconditionFailed(self.uri_of(put.path))
            _make_newer(temporary, replaces)
            temporary.rename(target)
        return target.lstat()

    def _walk(self, folder: str, prefix: str, start: str, *, deep: bool) -> Iterator[Entry]:
        for name, item in self._scan(folder):
            path = folder + name
            if not path.startswith(prefix) or (path < start and not start.startswith(path)):
                continue
            if not path.endswith("/"):
                facts = item.stat(follow_symlinks=False)
                yield Entry(path, facts.st_size, facts.st_mtime_ns)
            elif deep:
                yield from self._walk(path, prefix, start, deep=deep)
            elif next(self._below(path, start), None):
                yield Entry(path)

    def _below(self, folder: str, start: str) -> Iterator[Entry]:
        return (e for e in self._walk(folder, folder, start, deep=True) if e.path >= start)

    def _scan(self, folder: str) -> Sequence[tuple[str, os.DirEntry[str]]]:
        """Return a folder's entries sorted as a bucket sorts: by bytes, where a folder's name ends in ``/``."""
        place = self._root / folder
        if self._escapes(place):
            return ()
        try:
            with os.scandir(place) as items:
                found = [(_listed_name(item), item) for item in items]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as exc:
            raise StoreError(self.uri_of(folder), 0, f"cannot be listed: {exc.strerror}") from exc
        return sorted(((name, item) for name, item in found if name), key=lambda pair: pair[0])

    def _open(self, path: str) -> IO[bytes] | None:
        """Open a regular file inside the root; None when there is none. Links and special files are no objects."""
        target = self._place(path)
        if self._escapes(target.parent):
            raise StoreError(self.uri_of(path), 0, "leads out of the store")
        try:
            descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            if target.is_symlink():
                return None
            raise StoreError(self.uri_of(path), 0, f"cannot be read: {exc.strerror}") from exc
        if not modes.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return os.fdopen(descriptor, "rb")

    def _place(self, path: str) -> Path:
        wrong = check_object_name(path)
        if wrong:
            raise StoreError(f"{self.uri}/{printable(path)}", 0, wrong[0].what)
        if path.rsplit("/", 1)[-1].startswith(_HIDDEN):
            raise StoreError(self.uri_of(path), 0, f"names that begin with {_HIDDEN} are the store's own")
        return self._root / path

    def _escapes(self, folder: Path) -> bool:
        root = Path(os.path.realpath(self._root))
        return not Path(os.path.realpath(folder)).is_relative_to(
            root
        )  # realpath bears loops of links, resolve() does not

    def _make_folders(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        if folder.is_relative_to(self._root) and self._escapes(folder):
            raise StoreError(folder.as_uri(), 0, "leads out of the store")
        for one in reversed(missing):
            with suppress(FileExistsError):
                one.mkdir()
                one.chmod(0o755)

    def _describe(self, path: str, facts: os.stat_result) -> ObjectStat:
        return ObjectStat(path, facts.st_size, facts.st_mtime_ns, content_type=content_type(path))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _mapped(self, path: str, what: str, *, hint: str = "") -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise StoreError(self.uri_of(path), 0, f"cannot be {what}: {exc.strerror}", hint=hint) from exc


def _listed_name(item: os.DirEntry[str]) -> str:
    """Return an entry's name as listed, ending in ``/`` for a folder; empty for what is no object."""
    name = os.fsencode(item.name).decode("utf-8", "backslashreplace")
    if item.is_dir(follow_symlinks=False):
        return f"{name}/"
    return name if item.is_file(follow_symlinks=False) and not name.startswith(_HIDDEN) else ""


@contextmanager
def _source(body: bytes | Path) -> Iterator[IO[bytes]]:
    try:
        opened = BytesIO(body) if isinstance(body, bytes) else body.open("rb")
    except OSError as exc:
        raise ResultsError(f"{body!s}: cannot be read: {exc.strerror}") from exc
    with opened as file:
        yield file


@contextmanager
def _temporary(folder: Path, body: bytes | Path) -> Iterator[Path]:
    """Give a finished, synced copy of the body in the folder; it is gone afterwards unless it was renamed."""
    temporary = folder / f"{_HIDDEN}{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as target, _source(body) as source:
            while block := source.read(_BLOCK_BYTES):
                target.write(block)
            target.flush()
            os.fchmod(target.fileno(), 0o644)  # whatever the umask
            os.fsync(target.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _make_newer(path: Path, than_ns: int) -> None:
    """Push a file's modification time past another one, also where the file system's clock is coarse."""
    if path.stat().st_mtime_ns > than_ns:
        return
    for step_ns in (1, _COARSE_TICK_NS):
        os.utime(path, ns=(than_ns + step_ns, than_ns + step_ns))
        if path.stat().st_mtime_ns > than_ns:
            return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
