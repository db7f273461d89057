"""A site as objects of a store: what changed is sent, what is no longer made is removed, and nothing else is looked at.

One object names all others with hash and generation. It is written under its own generation before the first object is
touched, with every object that is about to change marked, and again when all have been sent. So of two builds at once
one gives up, and after one that was cut off the next asks the store for what was marked, and for nothing else.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from upload.errors import PreconditionFailed, ResultsError, UsageError
from upload.layout import content_type, is_text
from upload.model import Put
from upload.store import ClearableStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upload.store import Store

MANIFEST = "site-files.json"
FORMAT = 1
SENDERS = 8
PAGES = "no-cache"
"""Asked for anew each time, and answered in a few bytes while it is the same."""
STATIC = "public, max-age=3600"
COMPRESSED_BYTES = 1 << 20  # text that is read whole (DESIGN section 7)


class Sent(NamedTuple):
    """One object of the site. ``digest``: of its content, empty while nobody knows; ``generation``: 0 then, too."""

    digest: str
    generation: int


_UNSURE = Sent("", 0)


def replace(store: Store, files: Mapping[str, bytes]) -> int:
    """Make the store hold ``files`` (path → content) and return how many had to be sent.

    Raises: UsageError when the folder holds objects that no site build made; ResultsError when another build of the
    site is under way, and whatever the store says.
    """
    known, generation = _read(store)
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    changed = sorted(path for path in files if known.get(path, _UNSURE).digest != digests[path])
    gone = sorted(known.keys() - files.keys())
    if not changed and not gone:
        return 0
    generation = _write(store, known | dict.fromkeys(changed, _UNSURE), generation)

    def send(path: str) -> Sent:
        return Sent(digests[path], _send(store, path, files[path], known.get(path)))

    with ThreadPoolExecutor(max_workers=SENDERS) as pool:
        sent = dict(zip(changed, pool.map(send, changed), strict=True))
    if isinstance(store, ClearableStore):
        for path in gone:
            store.remove(path)
    _write(store, {path: sent.get(path) or known[path] for path in files}, generation)
    return len(changed)


def _send(store: Store, path: str, content: bytes, known: Sent | None) -> int:
    """Write one object and return its generation. What nobody is sure of is looked up first."""
    encoding = "gzip" if is_text(path) and len(content) < COMPRESSED_BYTES else ""
    cached = STATIC if path.startswith("static/") else PAGES
    put = Put(path, content, content_type(path), encoding, cached, create_only=False)
    replaces = known.generation if known else 0
    if known == _UNSURE and (there := store.stat(path)):
        replaces = there.generation
    try:
        return store.put(put, replaces=replaces).generation
    except PreconditionFailed as error:
        raise _busy(store, path) from error


def _read(store: Store) -> tuple[dict[str, Sent], int]:
    stored = store.read(MANIFEST)
    if stored is None:
        others = [entry.path for entry in islice(store.list(), 1)]
        if others:
            what = f"{store.uri} holds objects that no site build made, such as {others[0]}"
            raise UsageError(what, hint="choose an empty or a new folder with --out")
        return {}, 0
    try:
        return _parse(stored.body), stored.generation
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(f"{store.uri_of(MANIFEST)}: no list of a site's files: {error}") from error


def _parse(body: bytes) -> dict[str, Sent]:
    document = json.loads(body)
    if document["format"] != FORMAT:
        message = f"format {document['format']}, {FORMAT} is known"
        raise ValueError(message)
    return {str(path): Sent(str(digest), int(generation)) for path, (digest, generation) in document["files"].items()}


def _write(store: Store, files: Mapping[str, Sent], generation: int) -> int:
    body = json.dumps({"format": FORMAT, "files": files}, sort_keys=True, separators=(",", ":")).encode()
    put = Put(MANIFEST, body, content_type(MANIFEST), cache_control=PAGES, create_only=False)
    try:
        return store.put(put, replaces=generation).generation
    except PreconditionFailed as error:
        raise _busy(store, MANIFEST) from error


def _busy(store: Store, path: str) -> ResultsError:
    return ResultsError(f"{store.uri_of(path)} was written by another build of the site", hint="build it again")
