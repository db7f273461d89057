"""The bytes that are sent for an object, and their CRC32C."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

import google_crc32c
from isal import igzip

from upload.errors import ResultsError
from upload.model import Put

PIECE_BYTES = 8 * 1024 * 1024  # a multiple of 256 KiB, as the protocol of sessions asks; larger files go in pieces
BLOCK_BYTES = (
    256 * 1024
)  # handed to the network at once: the time limit of a request is one for each block, not for all
_COMPRESS_LEVEL = 2  # of igzip: ten times as fast as zlib at 6 and a sixth larger on logs; 3 is slower and not smaller


@contextmanager
def payload(put: Put) -> Iterator[tuple[IO[bytes], int, str]]:
    """Give what is sent: a stream at its start, size and CRC32C. In memory where it is small or compressed."""
    with opened(put.body) as (stream, size_bytes):
        if size_bytes > PIECE_BYTES and not put.content_encoding:
            crc32c = checksum(stream, size_bytes)
            stream.seek(0)
            yield stream, size_bytes, crc32c
            return
        sent = stream.read(size_bytes)
    if put.content_encoding == "gzip":
        sent = igzip.compress(sent, _COMPRESS_LEVEL, mtime=0)  # the same bytes each time
    yield BytesIO(sent), len(sent), in_base64(google_crc32c.Checksum(sent))  # type: ignore[no-untyped-call]  # ships no types


@contextmanager
def opened(body: bytes | Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a body and give its size, that of a file as it is now."""
    if isinstance(body, bytes):
        yield BytesIO(body), len(body)
        return
    try:
        file = body.open("rb")
    except OSError as error:
        raise ResultsError(f"{body}: cannot be read: {error.strerror}") from error
    with file:
        yield file, os.fstat(file.fileno()).st_size


def plain(put: Put) -> bytes:
    """Return a body as readers see it."""
    with opened(put.body) as (stream, size_bytes):
        return stream.read(size_bytes)


def checksum(stream: IO[bytes], size_bytes: int) -> str:
    """Return the CRC32C of the next ``size_bytes`` of a stream, in base64 as Google writes it."""
    checksum = google_crc32c.Checksum()  # type: ignore[no-untyped-call]  # ships no types
    while block := stream.read(min(PIECE_BYTES, size_bytes)):
        checksum.update(block)  # type: ignore[no-untyped-call]  # ships no types
        size_bytes -= len(block)
    return in_base64(checksum)


def in_base64(checksum: google_crc32c.Checksum) -> str:
    """Return a checksum as Google writes it."""
    return base64.b64encode(checksum.digest()).decode("ascii")  # type: ignore[no-untyped-call]  # ships no types
