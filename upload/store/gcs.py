"""A Google Cloud Storage bucket, or a folder in one, through google-cloud-storage.

The library's own retries are switched off or replaced: it repeats uploads without a precondition and takes a lost answer for
a failure. Here every write carries ``ifGenerationMatch``, one loop tries again, and whatever ends an upload without a clear
answer leads to a look at the object. Sources: gcs.md; https://cloud.google.com/storage/docs/retry-strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from threading import Lock
from typing import BinaryIO, TypeVar

from google.api_core import exceptions as api
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from urllib3.exceptions import HTTPError

from upload.errors import DeadlineExceeded, PreconditionFailed, StoreError, TooLarge
from upload.layout import check_object_name, printable
from upload.model import Put
from upload.store._gcs_client import Credentials, connect
from upload.store._gcs_errors import LostAnswer, asked_wait_s, is_passing, is_unclear, translate
from upload.store._gcs_multipart import Multipart, Resource
from upload.store._gcs_payload import PIECE_BYTES, checksum, opened, payload, plain
from upload.store._gcs_session import Session, Source
from upload.store.base import READ_LIMIT_BYTES, Entry, ObjectStat, Stored
from upload.store.patience import Patience

T = TypeVar("T")
_ERRORS = (OSError, ValueError, HTTPError, api.GoogleAPIError, GoogleAuthError, InvalidResponse, DataCorruption)


class _Overflow(Exception):
    """More bytes came than were asked for."""


class _Bounded:
    """What the library writes an object into: a file, emptied for each try."""

    def __init__(self, target: BinaryIO, limit_bytes: int) -> None:
        target.seek(0)
        target.truncate()
        self._target = target
        self._left_bytes = limit_bytes

    def write(self, data: bytes) -> int:
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise _Overflow
        return self._target.write(data)


class GcsStore:
    """A bucket. The client is made at the first use, since finding credentials may take seconds."""

    def __init__(
        self,
        bucket: str,
        folder: str,
        *,
        patience: Patience,
        endpoint: str = "",
        credentials: Credentials = Credentials.NEEDED,
    ) -> None:
        self._bucket_name = bucket
        self._folder = folder
        self._endpoint = endpoint
        self._credentials = credentials
        self._patience = patience
        self._bucket: storage.Bucket | None = None
        self._client: storage.Client | None = None
        self._multipart: Multipart | None = None
        self._lock = Lock()

    @property
    def uri(self) -> str:
        """The address as ``gs://bucket/folder``."""
        return f"gs://{self._bucket_name}/{self._folder}".rstrip("/")

    def uri_of(self, path: str) -> str:
        """Return the ``gs://`` address of an object, as the readers write it."""
        return f"{self.uri}/{path}"

    def read(self, path: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> Stored | None:
        """Return an object's bytes, decoded, and the generation they belong to, or None."""
        body = BytesIO()
        generation = self.read_into(path, body, limit_bytes=limit_bytes)
        return None if generation is None else Stored(body.getvalue(), generation)

    def read_into(self, path: str, target: BinaryIO, *, limit_bytes: int) -> int | None:
        """Write an object's bytes, decoded, into a file and return the generation they belong to, or None."""

        def attempt() -> int:
            blob = self._blob(path)
            body = _Bounded(target, limit_bytes)
            blob.download_to_file(body, checksum="crc32c", retry=None, timeout=self._patience.timeouts())
            if blob.generation is None:
                raise LostAnswer("the answer names no generation")
            return int(blob.generation)

        try:
            return self._persist(path, attempt)
        except _Overflow:
            raise TooLarge(self.uri_of(path), limit_bytes) from None
        except StoreError as error:
            if error.status == 404:
                return None
            raise

    def stat(self, path: str) -> ObjectStat | None:
        """Return what the bucket knows of an object, or None."""

        def attempt() -> ObjectStat | None:
            blob = self._blob(path)
            try:
                blob.reload(retry=None, timeout=self._patience.timeouts())
            except api.NotFound:
                return None
            return _describe(path, blob._properties)  # noqa: SLF001  # the resource that it wraps

        return self._persist(path, attempt)

    def list(self, prefix: str = "", *, delimiter: str = "", start_offset: str = "") -> Iterator[Entry]:
        """Yield objects below a prefix, page by page. A listing that lost its way begins again where it was."""
        pages = (
            self._get_client()
            .list_blobs(
                self._bucket_name,
                prefix=self._full(prefix) or None,
                delimiter=delimiter or None,
                start_offset=self._full(start_offset) if start_offset else None,
                fields="items(name,size,generation),prefixes,nextPageToken",
                timeout=self._patience.timeouts(),
                retry=self._again(prefix),
            )
            .pages
        )
        cut = len(self._full(""))
        while (page := self._mapped(prefix, lambda: next(pages, None))) is not None:
            entries = [Entry(name[cut:]) for name in page.prefixes]
            entries += [Entry(blob.name[cut:], int(blob.size or 0), int(blob.generation)) for blob in page]
            yield from sorted(entries, key=lambda entry: entry.path)

    def put(self, put: Put, *, replaces: int = 0) -> ObjectStat:
        """Write an object, only if its generation is ``replaces``; look at it when the answer is no or got lost."""
        wrong = check_object_name(put.path)
        if wrong:
            raise StoreError(f"{self.uri}/{printable(put.path)}", 0, wrong[0].what)
        try:
            return self._persist(put.path, lambda: self._upload(put, replaces))
        except StoreError as error:
            there = self._found_after(error, put.path)
            if there is None or not self._is_same(there, put):
                raise
            return there

    def holds(self, put: Put) -> bool:
        """Compare size, checksum and metadata; the bytes too where the compression may have been another one."""
        there = self.stat(put.path)
        return there is not None and self._is_same(there, put)

    def extend(self, put: Put, there: ObjectStat, *, piece: str) -> ObjectStat:
        """Put a piece, compose the object of both under its generation, and delete the piece."""
        tail = self._put_piece(replace(put, path=piece))
        size_bytes = there.size_bytes + tail.size_bytes

        def compose() -> ObjectStat:
            blob, source = self._blob(put.path), self._blob(piece)
            blob.content_type, blob.cache_control, blob.metadata = (
                put.content_type,
                put.cache_control,
                dict(put.metadata),
            )
            blob.compose(
                [self._blob(put.path), source],
                if_generation_match=there.generation,
                if_source_generation_match=[there.generation, tail.generation],
                retry=None,
                timeout=self._patience.timeouts(),
            )
            if not blob.generation or blob.size != size_bytes:
                raise LostAnswer("the answer does not describe the object")
            return _describe(put.path, blob._properties)  # noqa: SLF001  # the resource that it wraps

        try:
            done = self._persist(put.path, compose)
        except StoreError as error:
            found = self._found_after(error, put.path)
            if found is None or found.generation == there.generation or found.size_bytes != size_bytes:
                if isinstance(error, PreconditionFailed):  # nobody will come back for it
                    with suppress(StoreError):
                        self._delete(piece, tail.generation)
                raise
            done = found
        self._delete(piece, tail.generation)
        return done

    def is_beginning(self, there: ObjectStat, put: Put) -> bool:
        """Compare checksums."""
        with opened(put.body) as (stream, size_bytes):
            return there.size_bytes <= size_bytes and there.crc32c == checksum(stream, there.size_bytes)

    def probe(self, path: str) -> None:
        """Begin an upload in pieces and send none: permissions are checked at its beginning, objects made at its end."""

        def begin() -> None:
            self._blob(path).create_resumable_upload_session(
                "text/plain",
                size=1,
                checksum=None,
                if_generation_match=0,
                retry=None,
                timeout=self._patience.timeouts(),
            )

        self._persist(path, begin)

    def remove(self, path: str) -> None:
        """Delete the generation that is there now."""
        if found := self.stat(path):
            self._delete(path, found.generation)

    def _delete(self, path: str, generation: int) -> None:
        def delete() -> None:
            try:
                self._blob(path).delete(if_generation_match=generation, retry=None, timeout=self._patience.timeouts())
            except (api.NotFound, api.PreconditionFailed):  # an earlier try was done, its answer lost
                return

        self._persist(path, delete)

    def _found_after(self, error: StoreError, path: str) -> ObjectStat | None:
        """Return what is there after a write that may have been done all the same; None where it was not."""
        if not is_unclear(error):
            return None
        try:
            return self.stat(path)
        except DeadlineExceeded:  # no time to look: what the store said is all that is known
            raise error from None

    def _put_piece(self, piece: Put) -> ObjectStat:
        try:
            return self.put(piece)
        except PreconditionFailed:  # one that was killed left it
            found = self.stat(piece.path)
            return self.put(piece, replaces=found.generation if found else 0)

    def _upload(self, put: Put, replaces: int) -> ObjectStat:
        with payload(put) as (stream, size_bytes, crc32c):
            if size_bytes <= PIECE_BYTES:
                resource = self._upload_whole(put, stream.read(), crc32c, replaces)
            else:
                source = Source(stream, size_bytes, crc32c, self.uri_of(put.path))
                resource = self._upload_in_pieces(put, source, replaces)
        if not resource.get("generation") or not resource.get("crc32c"):
            raise LostAnswer("the answer does not describe the object")
        done = _describe(put.path, resource)
        if (done.crc32c, done.size_bytes) != (crc32c, size_bytes):
            what = (
                f"stored are {done.size_bytes} bytes with checksum {done.crc32c}, sent were {size_bytes} with {crc32c}"
            )
            raise StoreError(self.uri_of(put.path), 0, what)
        return done

    def _upload_whole(self, put: Put, body: bytes, crc32c: str, replaces: int) -> Resource:
        self._get_client()
        assert self._multipart is not None
        properties = {
            "name": self._full(put.path),
            "contentType": put.content_type,
            "contentEncoding": put.content_encoding,
            "cacheControl": put.cache_control,
            "metadata": dict(put.metadata),
            "crc32c": crc32c,
        }
        return self._multipart.send({key: value for key, value in properties.items() if value}, body, replaces=replaces)

    def _upload_in_pieces(self, put: Put, source: Source, replaces: int) -> Resource:
        blob = self._blob(put.path)
        blob.content_encoding = put.content_encoding or None
        blob.cache_control = put.cache_control or None
        blob.metadata = dict(put.metadata) or None

        def begin() -> str:
            url = blob.create_resumable_upload_session(
                put.content_type,
                size=source.size_bytes,
                checksum=None,
                if_generation_match=replaces,
                retry=None,
                timeout=self._patience.timeouts(),
            )
            return str(url)

        transport = self._get_client()._http  # noqa: SLF001  # the library's own session, with its credentials
        return Session(source, begin, transport.request, self._patience).send()

    def _is_same(self, there: ObjectStat, put: Put) -> bool:
        if not set(put.metadata) <= set(there.metadata):  # a server may add keys of its own
            return False
        with payload(put) as (_, size_bytes, crc32c):
            if (there.size_bytes, there.crc32c) == (size_bytes, crc32c):
                return True
        if "gzip" not in (there.content_encoding, put.content_encoding):
            return False
        stored = self.read(put.path)  # another zlib may have compressed the same bytes to others
        return stored is not None and stored.body == plain(put)

    def _persist(self, path: str, call: Callable[[], T]) -> T:
        return self._mapped(path, lambda: self._try(path, call))

    def _try(self, path: str, call: Callable[[], T]) -> T:
        return self._patience.persist(self.uri_of(path), call, again=is_passing, asked_wait_s=asked_wait_s)

    def _mapped(self, path: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except _ERRORS as error:
            raise translate(error, self.uri_of(path), self._bucket_name) from error

    def _again(self, path: str) -> Callable[[Callable[[], T]], Callable[[], T]]:
        """Return our loop in the shape of the library's ``retry`` argument; its errors are the library's."""
        return lambda call: lambda: self._try(path, call)

    def _full(self, path: str) -> str:
        return f"{self._folder}/{path}" if self._folder else path

    def _blob(self, path: str) -> storage.Blob:
        self._get_client()
        return storage.Blob(self._full(path), self._bucket)

    def _get_client(self) -> storage.Client:
        with self._lock:
            if self._client is None:
                try:
                    self._client = connect(self._endpoint, self._credentials)
                except DefaultCredentialsError as error:
                    raise translate(error, self.uri, self._bucket_name) from error
                self._bucket = self._client.bucket(self._bucket_name)
                self._multipart = Multipart.of(self._client, self._bucket_name, self._patience.timeouts)
            return self._client


def _describe(path: str, resource: Resource) -> ObjectStat:
    return ObjectStat(
        path=path,
        size_bytes=int(resource.get("size") or 0),
        generation=int(resource["generation"]),
        content_type=resource.get("contentType") or "",
        content_encoding=resource.get("contentEncoding") or "",
        cache_control=resource.get("cacheControl") or "",
        crc32c=resource.get("crc32c") or "",
        metadata=tuple(sorted((resource.get("metadata") or {}).items())),
    )
