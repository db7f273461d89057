"""What a store of results can do. Narrow by intent: read, look, list, and write under a precondition; no result is deleted.

Paths are relative to the store's root, without a leading slash. Every write carries a generation, so that a lost answer
never makes a second object and two publishers never overwrite each other. Source: gcs.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, runtime_checkable

from upload.model import Put

READ_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What a store knows of an object without its bytes.

    ``generation`` changes with every write of this object and is compared only with itself. ``size_bytes``: as stored,
    which is compressed where ``content_encoding`` says so. ``crc32c``: of the stored bytes, in base64, as Google writes
    it. What a store does not keep is empty.
    """

    path: str
    size_bytes: int
    generation: int
    content_type: str = ""
    content_encoding: str = ""
    cache_control: str = ""
    crc32c: str = ""
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes of one generation of an object, decoded where they were stored compressed."""

    body: bytes
    generation: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing: an object, or with a delimiter a folder (its path ends in ``/``, size and generation 0)."""

    path: str
    size_bytes: int = 0
    generation: int = 0

    @property
    def is_folder(self) -> bool:
        """Tell a folder from an object."""
        return self.path.endswith("/")


class Store(Protocol):
    """A place for results. Safe to use from several threads. Every method raises StoreError when the store says no."""

    @property
    def uri(self) -> str:
        """The root as the user may type it again, without a slash at the end."""

    def uri_of(self, path: str) -> str:
        """Return the full address of an object or folder, for people and for links."""

    def read(self, path: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> Stored | None:
        """Return an object, or None when there is none. Raises TooLarge when it is larger than the limit."""

    def read_into(self, path: str, target: BinaryIO, *, limit_bytes: int) -> int | None:
        """Write an object into an empty file and return its generation, or None when there is none.

        For what is too large for the memory. A try that failed is begun anew from the start of ``target``, which can be
        sought and cut. Raises TooLarge, and whatever ``target.write`` raises.
        """

    def stat(self, path: str) -> ObjectStat | None:
        """Return what is known of an object, or None when there is none."""

    def list(self, prefix: str = "", *, delimiter: str = "", start_offset: str = "") -> Iterator[Entry]:
        """Yield what lies below ``prefix`` in the order of the names' bytes.

        ``prefix`` is compared as text, so a folder is given with its slash. ``delimiter`` is ``/`` or empty; with it,
        deeper objects are one folder entry. Only names at or after ``start_offset`` are yielded.
        """

    def put(self, put: Put, *, replaces: int = 0) -> ObjectStat:
        """Write an object, only if its generation is ``replaces`` (0: only if there is none).

        ``put.body`` is what a reader shall see; with ``content_encoding="gzip"`` the store compresses it if it can
        serve it so. When the object stored there is already just this one, that is success: the answer to an earlier
        try was lost. Otherwise PreconditionFailed.
        """

    def holds(self, put: Put) -> bool:
        """Say whether the object is there with just these bytes and this metadata."""


@runtime_checkable
class ClearableStore(Store, Protocol):
    """A store from which the caller's own objects can be removed. Results never are."""

    def remove(self, path: str) -> None:
        """Delete the object as it is now; one that is not there is success."""


@runtime_checkable
class GrowingStore(ClearableStore, Protocol):
    """A store that can also let an object grow without its bytes being sent again."""

    def extend(self, put: Put, there: ObjectStat, *, piece: str) -> ObjectStat:
        """Write ``put.body`` behind the bytes of one generation of the object, which gets the headers of ``put``.

        ``piece``: path of an object of the caller's own that is written and removed on the way. Raises
        PreconditionFailed when the object is another generation by now, and not what this call was to make.
        """

    def is_beginning(self, there: ObjectStat, put: Put) -> bool:
        """Say whether the object's bytes are the first bytes of ``put.body``."""


@runtime_checkable
class ProbedStore(Store, Protocol):
    """A store that can be asked whether it would take an object, without giving it one."""

    def probe(self, path: str) -> None:
        """Return when an object of that name could be written now. Raises StoreError as ``put`` would."""
