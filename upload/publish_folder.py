"""Publish a folder that was made elsewhere: claim a build, store it, and go on with the same build after kill -9."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from upload.censor import Censor
from upload.claim import claim, newest_number, next_number
from upload.documents import UNKNOWN_VERSION, Pairs, Started
from upload.errors import ResultsError, UsageError
from upload.journal import FileJournal
from upload.layout import build_paths
from upload.model import BuildRef
from upload.publish import Prepared, Publication, PublishRequest, prepare, publish_build
from upload.store.base import Store


@dataclass(frozen=True, slots=True)
class FolderRequest:
    """A folder and what it becomes. ``wanted.number`` is empty for the next free id. ``now_s``: UTC epoch."""

    folder: Path
    wanted: BuildRef
    node: str
    now_s: int
    version: str = UNKNOWN_VERSION
    metadata: Pairs = ()

    def as_build(self, build: BuildRef) -> PublishRequest:
        """Return the request for the build that was claimed."""
        return PublishRequest(build, self.folder, self.now_s, self.version, metadata=self.metadata)


def publish_folder(request: FolderRequest, store: Store, *, censor: Censor, state: Path) -> Publication:
    """Store a folder as a build. ``state``: a private folder where an unfinished publish is remembered.

    Killed at any point and called again with the same arguments it goes on with the same build. A build that is finished
    with the same content is left as it is; with other content that is a ResultsError.
    Raises UsageError when ``folder`` is none, or the id asked for belongs to a build that is not ours.
    """
    if not request.folder.is_dir():
        raise UsageError(f"{request.folder} is no folder")
    memory = state / _key(request, store)
    with _alone(memory):
        build = _remembered(memory, request.wanted) or _claimed(request, store, censor)
        _remember(memory, build)
        subject = store.uri_of(build_paths(build).folder)
        with FileJournal(memory / "journal", subject) as journal:
            done = publish_build(request.as_build(build), store, censor=censor, journal=journal)
        _forget(memory)
    return done


def preview_folder(request: FolderRequest, store: Store, *, censor: Censor, scratch: Path) -> Prepared:
    """Return what ``publish_folder`` would store, under the id it would get now. Nothing is written to the store."""
    newest = newest_number(store, request.wanted.prefix, request.wanted.job)
    number = request.wanted.number or next_number(newest, request.now_s)
    return prepare(request.as_build(replace(request.wanted, number=number)), censor=censor, scratch=scratch)


def _claimed(request: FolderRequest, store: Store, censor: Censor) -> BuildRef:
    wanted = request.wanted
    if wanted.number and store.stat(build_paths(wanted).finished) is not None:
        return wanted  # nothing to claim: send finds out whether it is the same build
    started = Started(request.now_s, censor.text(request.node), censor.text(request.version))
    return claim(store, wanted, started, now_s=request.now_s)


def _key(request: FolderRequest, store: Store) -> str:
    facts = [
        store.uri,
        request.wanted.prefix,
        request.wanted.job,
        request.wanted.number,
        os.path.realpath(request.folder),
    ]
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _remembered(memory: Path, wanted: BuildRef) -> BuildRef | None:
    try:
        number = json.loads((memory / "build.json").read_bytes())["number"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return replace(wanted, number=number) if isinstance(number, str) else None


def _remember(memory: Path, build: BuildRef) -> None:
    temporary = memory / "build.json.new"
    with temporary.open("w") as file:
        json.dump({"number": build.number}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(memory / "build.json")


def _forget(memory: Path) -> None:
    for name in ("journal", "build.json"):
        (memory / name).unlink(missing_ok=True)


@contextmanager
def _alone(memory: Path) -> Iterator[None]:
    """Hold the lock of one publish; a second one of the same folder is told so at once. The lock's file stays."""
    memory.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(memory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as exc:
        raise ResultsError("this folder is being published by another process", hint="wait for it to end") from exc
    finally:
        os.close(descriptor)
