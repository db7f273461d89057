"""A resumable upload: pieces in a session, which goes on behind the bytes that the server says it has.

The library's own session sends a failed piece again without asking, and gives up when a server kept half of one. Protocol:
gcs.md; https://cloud.google.com/storage/docs/performing-resumable-uploads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from google.cloud.storage.exceptions import InvalidResponse
from requests import Response

from upload.errors import ResultsError
from upload.store._gcs_errors import LostAnswer, asked_wait_s, is_passing
from upload.store._gcs_payload import BLOCK_BYTES, PIECE_BYTES
from upload.store.patience import Patience

MOST_SESSIONS = 8  # a server that forgets each session is no server
LARGEST_PIECE_BYTES = 128 * 1024 * 1024
SMALLEST_PIECE_BYTES = 256 * 1024  # the protocol wants every piece but the last to be a multiple of this
_QUICK_S, _SLOW_S = 10.0, 20.0  # a piece is lost whole where a server keeps no half of one

_KEPT = re.compile(r"bytes=0-([0-9]{1,18})")
_DONE = (200, 201)
_GOES_ON = 308
_GONE = (404, 410)

Request = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Source:
    """What is sent: an open stream of just ``size_bytes`` with this CRC32C in base64, and its address for messages."""

    stream: IO[bytes]
    size_bytes: int
    crc32c: str
    uri: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes of a source, in blocks; may be sent again. Not in memory at once."""

    source: Source
    start: int
    size_bytes: int

    def __len__(self) -> int:
        return self.size_bytes

    def __iter__(self) -> Iterator[bytes]:
        self.source.stream.seek(self.start)
        left = self.size_bytes
        while left:
            block = self.source.stream.read(min(BLOCK_BYTES, left))
            if not block:
                raise ResultsError(f"{self.source.uri}: the file became shorter while it was sent")
            left -= len(block)
            yield block


@dataclass(slots=True)
class Session:
    """One object on its way. ``begin`` opens a session and returns its URL; ``request`` is that of an HTTP session.

    Each piece has the whole time of an operation; time without progress ends the upload, a long file does not. A piece
    that came through quickly is followed by one twice as large, one that failed or took long by one half as large.
    """

    source: Source
    begin: Callable[[], str]
    request: Request
    patience: Patience
    _url: str = ""
    _begun: int = 0
    _is_unsure: bool = False
    _offset: int = 0
    _piece_bytes: int = PIECE_BYTES

    def send(self) -> dict[str, Any]:
        """Send everything and return the object's resource, as the server describes it.

        Raises: the library's errors, also 412 when the precondition does not hold at the end; LostAnswer when sessions
        were lost again and again; ResultsError when the file became shorter meanwhile.
        """
        while True:
            done = self.patience.persist(self.source.uri, self._step, again=is_passing, asked_wait_s=asked_wait_s)
            if done is not None:
                return done

    def _step(self) -> dict[str, Any] | None:
        """Send one piece; after a failure first ask what has arrived. None: there is more to send."""
        if not self._url:
            self._open()
        before, size_bytes = self._offset, self.source.size_bytes
        if self._is_unsure and (done := self._put(b"", f"bytes */{size_bytes}")) is not None:
            return done
        if self._offset > before:
            return None  # it goes forward: what failed has its whole time again
        piece = _Piece(self.source, self._offset, min(self._piece_bytes, size_bytes - self._offset))
        done = self._send_piece(piece)
        if done is None and self._offset <= before:
            raise LostAnswer("the store kept nothing of a piece")  # so that it waits, and gives up in the end
        return done

    def _send_piece(self, piece: _Piece) -> dict[str, Any] | None:
        last, began = piece.start + len(piece) - 1, self.patience.clock()
        is_last = last + 1 == self.source.size_bytes
        smaller = max(SMALLEST_PIECE_BYTES, self._piece_bytes // 2)
        try:
            done = self._put(piece, f"bytes {piece.start}-{last}/{self.source.size_bytes}", is_last=is_last)
        except Exception:
            self._piece_bytes = smaller
            raise
        took_s = self.patience.clock() - began
        if took_s > _SLOW_S:
            self._piece_bytes = smaller
        elif took_s < _QUICK_S:
            self._piece_bytes = min(LARGEST_PIECE_BYTES, self._piece_bytes * 2)
        return done

    def _open(self) -> None:
        if self._begun >= MOST_SESSIONS:
            raise ResultsError(f"{self.source.uri}: the store lost {self._begun} upload sessions")
        self._url = self.begin()
        self._begun += 1
        self._offset, self._is_unsure = 0, False

    def _put(self, piece: bytes | _Piece, content_range: str, *, is_last: bool = False) -> dict[str, Any] | None:
        headers = {"Content-Range": content_range}
        if is_last:  # so that the server itself refuses what was damaged on the way
            headers["x-goog-hash"] = f"crc32c={self.source.crc32c}"
        self._is_unsure = True
        answer = self.request("PUT", self._url, data=piece, headers=headers, timeout=self.patience.timeouts())
        if answer.status_code in _DONE:
            return _resource(answer)
        if answer.status_code == _GOES_ON:
            self._offset = self._kept(answer)
            self._is_unsure = False
            return None
        if answer.status_code in _GONE:
            self._url = ""
            raise LostAnswer("the upload session is gone")
        raise InvalidResponse(answer, f"HTTP {answer.status_code} in an upload session")

    def _kept(self, answer: Response) -> int:
        told = answer.headers.get("range")
        if told is None:  # nothing has arrived
            return 0
        match = _KEPT.fullmatch(told)
        if match is not None and int(match[1]) == self.source.size_bytes - 1:
            raise LostAnswer("all bytes have arrived, but the object is not there yet")
        if match is None or int(match[1]) >= self.source.size_bytes:
            raise InvalidResponse(answer, f"the store has {told[:60]!r} of {self.source.size_bytes} bytes")
        return int(match[1]) + 1


def _resource(answer: Response) -> dict[str, Any]:
    resource = answer.json()
    if not isinstance(resource, dict):
        raise LostAnswer("the answer does not describe the object")
    return resource
