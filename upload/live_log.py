"""The log of a build while it goes on: ``build-log.txt`` grows in the store, and is made final before finished.json.

Readers open ``build-log.txt`` of a build that is not finished, so it grows under that name: what arrived goes into a piece
(``layout.LOG_PIECE``, which no reader takes), the store composes both, and the piece is deleted. The object is marked
``live: true``; only such a one is ever replaced, under its generation, and only while there is no finished.json; the final
one that took its place is marked ``live: over``. Killed anywhere, nothing is lost: at most a piece stays, which the next one
takes over, and the final log is compared by its checksum.
A folder (``file://``) is not written meanwhile: the log lies on this machine already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from upload.censor import Censor
from upload.errors import PreconditionFailed, ResultsError
from upload.layout import LOG_PIECE, NO_CACHE, build_paths, content_type
from upload.model import BuildRef, Put
from upload.store.base import GrowingStore, ObjectStat, Store

EVERY_S = 30.0
LIVE, OVER = ("live", "true"), ("live", "over")
_BLOCK_BYTES = 8 * 1024 * 1024
_FOLD_TRIES = 5


@dataclass(slots=True)
class LiveLog:
    """One log that is sent while it grows; not for several threads at once.

    ``censor`` is asked each time, since secrets become known on the way; what was sent before is replaced in the end.
    """

    store: GrowingStore
    build: BuildRef
    source: Path
    censor: Callable[[], Censor]
    is_over: bool = False
    _there: ObjectStat | None = None
    _read: int = 0
    _tried: int = 0  # bytes that the last try was to add: asterisks are as many as what they stand for

    def send_more(self) -> int:
        """Send what has arrived and return how many bytes that were; bytes that may begin a secret wait for the rest.

        Raises: StoreError, ResultsError when the log cannot be read; calling it again goes on where it was.
        """
        sent = 0
        while not self.is_over and (more := self._send_block()):
            sent += more
        return sent

    def _send_block(self) -> int:
        if self._tried:
            self._look()
        window = _read(self.source, self._read)
        censor = self.censor()
        ready = censor.settled(window)
        if not ready or self.is_over:
            return 0
        put = _live_put(self.build, censor.data(window)[:ready])
        self._tried = ready
        try:
            if self._there:
                self._there = self.store.extend(put, self._there, piece=_piece(self.build))
            else:
                self._there = self._begin(put)
        except PreconditionFailed:  # somebody else's, or final already: fold_log finds out
            self.is_over = True
            return 0
        self._tried, self._read = 0, self._read + ready
        return ready

    def _begin(self, put: Put) -> ObjectStat:
        """Write the first bytes; a live log that an earlier process of this publish left is begun anew."""
        try:
            return self.store.put(put)
        except PreconditionFailed as error:
            return self.store.put(put, replaces=_live_one(self.store, put.path, error).generation)

    def _look(self) -> None:
        """Find out whether a try that ended in an error was done all the same."""
        found = self.store.stat(build_paths(self.build).log)
        before = self._there.size_bytes if self._there else 0
        if found is not None and (self._there is None or found.generation != self._there.generation):
            if LIVE in found.metadata and found.size_bytes == before + self._tried:
                self._there, self._read = found, self._read + self._tried
            elif self._there or LIVE not in found.metadata:
                self.is_over = True
        self._tried = 0


def fold_log(store: Store, build: BuildRef, log: Put) -> ObjectStat:
    """Write a build's final log: what the live one lacks is added; one that is no beginning of it is replaced.

    Raises PreconditionFailed when the log there is not a live one, StoreError.
    """
    if not isinstance(store, GrowingStore):  # nobody has followed the log there
        return store.put(log)
    for _ in range(_FOLD_TRIES):
        done = _put_or_find(store, log)
        if LIVE in done.metadata:
            try:
                done = _replace(store, build, log, done)
            except PreconditionFailed:  # the live one grew meanwhile
                continue
        if OVER in done.metadata:  # also one whose fold was killed before this
            store.remove(_piece(build))
        return done
    raise PreconditionFailed(store.uri_of(log.path), "the live log goes on growing; does another process follow it?")


def _put_or_find(store: Store, log: Put) -> ObjectStat:
    """Write the log, or return the live one that is there. Raises PreconditionFailed for any other."""
    try:
        return store.put(log)
    except PreconditionFailed as error:
        return _live_one(store, log.path, error)


def _live_one(store: Store, path: str, error: PreconditionFailed) -> ObjectStat:
    """Return the live log that kept another one from being written; raise ``error`` when it is none."""
    there = store.stat(path)
    if there is None or LIVE not in there.metadata:
        raise error
    return there


def _replace(store: GrowingStore, build: BuildRef, log: Put, there: ObjectStat) -> ObjectStat:
    rest, log = _rest(log.body, there.size_bytes), replace(log, metadata=(*log.metadata, OVER))
    if rest and len(rest) <= _BLOCK_BYTES and store.is_beginning(there, log):
        done = store.extend(replace(log, body=rest), there, piece=_piece(build))
        if not store.is_beginning(done, log):  # an answer got lost, and what was found then is not what we added
            raise PreconditionFailed(store.uri_of(log.path))
        return done
    return store.put(log, replaces=there.generation)


def _live_put(build: BuildRef, body: bytes) -> Put:
    path = build_paths(build).log
    return Put(path, body, content_type(path), cache_control=NO_CACHE, metadata=(LIVE,))


def _piece(build: BuildRef) -> str:
    return build_paths(build).folder + LOG_PIECE


def _rest(body: bytes | Path, offset: int) -> bytes:
    return body[offset : offset + _BLOCK_BYTES + 1] if isinstance(body, bytes) else _read(body, offset, 1)


def _read(source: Path, offset: int, more: int = 0) -> bytes:
    try:
        with source.open("rb") as file:
            file.seek(offset)
            return file.read(_BLOCK_BYTES + more)
    except FileNotFoundError:
        return b""
    except OSError as exc:
        raise ResultsError(f"{source}: cannot be read: {exc.strerror}") from exc
