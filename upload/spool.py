"""Censored copies of files in a private folder: what is sent is what was looked at, however the source changes."""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from upload.censor import Censor
from upload.errors import ResultsError

CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
_GZIP_LEVEL = 6


class LeftOut(Exception):
    """A file that cannot be published: the finding's ``rule``, and why as the message."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(why)
        self.rule = rule


class ScratchFile:
    """A file that is written at its end and read anywhere. Its methods raise ResultsError. ``size_bytes``: written so far."""

    def __init__(self, file: BinaryIO, folder: Path) -> None:
        self._file = file
        self._folder = folder
        self.size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Put bytes, which are censored already, behind the others."""
        try:  # no context manager: this is called a million times
            self._file.write(chunk)
        except OSError as exc:
            raise _refused(self._folder, exc) from exc
        self.size_bytes += len(chunk)

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to ``end`` in chunks."""
        with _mapped(self._folder):
            self._file.flush()
            while start < end and (chunk := os.pread(self._file.fileno(), min(end - start, CHUNK_BYTES), start)):
                start += len(chunk)
                yield chunk


class Spool:
    """Numbered files in one folder, each written once: the only side effect of collecting artifacts.

    The folder is made with mode 0700, files with 0600. Every method raises ResultsError when it cannot write, and
    LeftOut when the source cannot be read; the file begun is gone then.
    """

    def __init__(self, folder: Path, censor: Censor) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise ResultsError(f"{folder}: {exc.strerror}") from exc
        self._folder = folder
        self.censor = censor
        self._count = 0

    def write(self, chunks: Iterable[bytes]) -> Path:
        """Write ``chunks``, which are censored already, into a new file and return it."""
        path = self._next()
        with self._created(path) as out:
            out.writelines(chunks)
        return path

    @contextmanager
    def scratch(self) -> Iterator[ScratchFile]:
        """Give a file without a name, for what must be written before it can be put in order."""
        with _mapped(self._folder):
            file = cast("BinaryIO", tempfile.TemporaryFile(dir=self._folder, buffering=CHUNK_BYTES))  # noqa: SIM115  # closed below
        try:
            yield ScratchFile(file, self._folder)
        finally:
            with suppress(OSError):  # bytes that nobody will read had no room
                file.close()

    def copy(self, source: BinaryIO, *, limit_bytes: int) -> tuple[Path, int]:
        """Copy an open file censored; return the copy and how many bytes in its middle were over ``limit_bytes``.

        Only what the file held when it was opened is read: a log that still grows ends there.
        """
        size = os.fstat(source.fileno()).st_size
        if size <= limit_bytes:
            return self.write(self.censor.stream(_read(source, size))), 0
        return self.write(_two_ends(source, size, limit_bytes, self.censor)), size - limit_bytes

    def repack(self, source: BinaryIO, *, limit_bytes: int) -> Path:
        """Unpack an open gzip file, censor it and pack it again, to the same bytes each time.

        LeftOut also when it is broken or holds more than ``limit_bytes``.
        """
        path = self._next()
        with (
            self._created(path) as out,
            gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=out, mtime=0) as packed,
        ):
            packed.writelines(self.censor.stream(_unpacked(source, limit_bytes)))
        return path

    def _next(self) -> Path:
        self._count += 1
        return self._folder / f"{self._count:06d}"

    @contextmanager
    def _created(self, path: Path) -> Iterator[BinaryIO]:
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
                yield out
        except OSError as exc:
            path.unlink(missing_ok=True)
            raise _refused(path, exc) from exc
        except (LeftOut, ResultsError):
            path.unlink(missing_ok=True)
            raise


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise _refused(path, exc) from exc


def _refused(path: Path, exc: OSError) -> ResultsError:
    return ResultsError(f"{path}: {exc.strerror or exc}")


def is_gzip(source: BinaryIO) -> bool:
    """Say whether an open file begins like gzip; it is at its start again afterwards."""
    magic = _some(source, len(GZIP_MAGIC))
    source.seek(0)
    return magic == GZIP_MAGIC


def _some(source: BinaryIO, size: int) -> bytes:
    try:
        return source.read(size)
    except OSError as exc:
        raise LeftOut("artifact.unreadable", f"it cannot be read: {exc.strerror}") from exc


def _read(source: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := _some(source, min(size, CHUNK_BYTES))):
        size -= len(chunk)
        yield chunk


def _two_ends(source: BinaryIO, size: int, limit: int, censor: Censor) -> Iterator[bytes]:
    """Yield both ends, censored as parts of the whole: with what lies behind the cut, since half a secret is not found.

    Asterisks are as many as what they stand for, so the place of the cut stays where it is.
    """
    half = limit // 2
    yield from _first(half, censor.stream(_read(source, half + censor.longest)))
    yield f"\n… {size - 2 * half} bytes are left out here …\n".encode()
    before = min(censor.longest, size - half)
    source.seek(size - half - before)
    yield from _behind(before, censor.stream(_read(source, before + half)))


def _first(count: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[:count]
        count -= len(chunk)
        if count <= 0:
            return


def _behind(count: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[count:]
        count = max(0, count - len(chunk))


def _unpacked(source: BinaryIO, limit: int) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=source, mode="rb") as unpacked:
        while True:
            try:
                chunk = unpacked.read(CHUNK_BYTES)
            except (OSError, EOFError, zlib.error) as exc:  # BadGzipFile is an OSError
                raise LeftOut("artifact.gzip", f"it cannot be unpacked: {exc}") from exc
            if not chunk:
                return
            limit -= len(chunk)
            if limit < 0:
                raise LeftOut("artifact.gzip", "it holds more than may be unpacked")
            yield chunk
