"""Where results are kept: ``file://`` folders and ``gs://`` buckets behind one interface.

``open_store`` takes ``gs://bucket[/folder]``, ``file:///folder``, or a plain path.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from upload.errors import UsageError
from upload.store.base import ClearableStore, Entry, ObjectStat, Store, Stored
from upload.store.patience import Patience

__all__ = [
    "ClearableStore",
    "Entry",
    "ObjectStat",
    "Patience",
    "Store",
    "Stored",
    "bucket_name",
    "folder_of",
    "open_store",
]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


def open_store(
    uri: str,
    *,
    endpoint: str = "",
    anonymous_too: bool = False,
    anonymous: bool = False,
    patience: Patience | None = None,
) -> Store:
    """Return the store at a URI. Nothing is read, written or connected to yet.

    ``endpoint``: another server for ``gs://`` than the public one, reached without credentials (the Google library
    itself honours STORAGE_EMULATOR_HOST). ``anonymous_too``: go on without credentials where none are found, which
    is enough to read a world-readable bucket. ``anonymous``: use no credentials even where there are some.
    Raises UsageError when the URI names no store.
    """
    path = folder_of(uri)
    if path is not None:
        return _open_folder(path)
    scheme, _, rest = uri.partition("://")
    if scheme == "gs":
        bucket, _, folder = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(f"{uri}: {bucket!r} is no bucket name", hint="gs://BUCKET or gs://BUCKET/FOLDER")
        from upload.store._gcs_client import Credentials
        from upload.store.gcs import GcsStore

        credentials = Credentials.IF_FOUND if anonymous_too else Credentials.NEEDED
        return GcsStore(
            bucket,
            folder.strip("/"),
            endpoint=endpoint,
            credentials=Credentials.NONE if anonymous else credentials,
            patience=patience or Patience(),
        )
    raise UsageError(f"{uri}: no store of kind {scheme!r}", hint="give gs://BUCKET, file:///FOLDER or a folder")


def folder_of(uri: str) -> Path | None:
    """Return the folder that ``file:///FOLDER`` or a plain path names, None for another scheme. Raises UsageError."""
    scheme, found, rest = uri.partition("://")
    if not found:
        if not uri or "\0" in uri:
            raise UsageError(f"{uri!r} names no store", hint="give gs://BUCKET, file:///FOLDER or a folder")
        return Path(uri)
    if scheme != "file":
        return None
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise UsageError(f"{uri}: a file store has an absolute path", hint=f"file:///{rest.lstrip('/')}")
    return Path(unquote(parts.path))


def bucket_name(uri: str) -> str:
    """Return the bucket that ``gs://BUCKET`` names. Raises UsageError for anything else, a folder in one included."""
    bucket = uri.removeprefix("gs://").rstrip("/")
    if not uri.startswith("gs://") or not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{uri} names no bucket", hint="give gs://BUCKET")
    return bucket


def _open_folder(path: Path) -> Store:
    from upload.store.file import FileStore

    return FileStore(path)
