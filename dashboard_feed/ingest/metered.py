"""A store that counts what is asked of it, and lets no object and no listing take longer than it may."""

from __future__ import annotations

import time
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from upload.errors import DeadlineExceeded
from upload.store import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upload.model import Put
    from upload.store import Entry, ObjectStat, Store

PAGE_ENTRIES = 1_000  # of a listing, in one answer
READ_LIMIT_BYTES = 64 << 20


@dataclass(slots=True)
class Meter:
    """What a bucket was asked for. ``requests``: as a server would count them; ``bytes``: of objects, decoded."""

    requests: int = 0
    bytes: int = 0


class MeteredStore:
    """A store for reading. ``object_s``: seconds for one object; ``until``: when all is over, on ``clock``."""

    def __init__(
        self, store: Store, *, object_s: float, until: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._object_s = object_s
        self._until = until
        self._clock = clock
        self._lock = Lock()
        self.meter = Meter()

    @property
    def is_late(self) -> bool:
        """Tell whether the time for the bucket is over."""
        return self._clock() > self._until

    @property
    def uri(self) -> str:
        """The root of the store."""
        return self._store.uri

    def uri_of(self, path: str) -> str:
        """Return the full address of an object."""
        return self._store.uri_of(path)

    def read(self, path: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> Stored | None:
        """Return an object, or None."""
        body = BytesIO()
        generation = self.read_into(path, body, limit_bytes=limit_bytes)
        return None if generation is None else Stored(body.getvalue(), generation)

    def read_into(self, path: str, target: BinaryIO, *, limit_bytes: int) -> int | None:
        """Write an object into a file. Raises DeadlineExceeded when it comes too slowly."""
        until = min(self._until, self._clock() + self._object_s)
        timed: Any = _Timed(target, lambda: self._check(path, until))
        self._count()
        self._check(path, until)
        generation = self._store.read_into(path, timed, limit_bytes=limit_bytes)
        self._count(0, target.tell())
        return generation

    def stat(self, path: str) -> ObjectStat | None:
        """Return what is known of an object, or None."""
        self._count()
        self._check(path, self._until)
        return self._store.stat(path)

    def list(self, prefix: str = "", *, delimiter: str = "", start_offset: str = "") -> Iterator[Entry]:
        """Yield what lies below a prefix, for as long as there is time."""
        self._count()
        for number, entry in enumerate(self._store.list(prefix, delimiter=delimiter, start_offset=start_offset), 1):
            yield entry
            self._check(prefix, self._until)
            if number % PAGE_ENTRIES == 0:
                self._count()

    def put(self, put: Put, *, replaces: int = 0) -> ObjectStat:
        """Refuse: nothing is written into a bucket that is read."""
        raise NotImplementedError(f"{put.path}, replacing {replaces}")

    def holds(self, put: Put) -> bool:
        """Refuse: there is nothing of ours in it."""
        raise NotImplementedError(put.path)

    def _count(self, requests: int = 1, size_bytes: int = 0) -> None:
        with self._lock:
            self.meter.requests += requests
            self.meter.bytes += size_bytes

    def _check(self, path: str, until: float) -> None:
        if self._clock() > until:
            raise DeadlineExceeded(f"reading {self._store.uri_of(path)}", self._object_s)


class _Timed:
    """A file that takes bytes only while there is time."""

    def __init__(self, target: BinaryIO, check: Callable[[], None]) -> None:
        self._target = target
        self._check = check

    def write(self, block: bytes) -> int:
        self._check()
        return self._target.write(block)

    def seek(self, offset: int) -> int:
        return self._target.seek(offset)

    def truncate(self) -> int:
        return self._target.truncate()
