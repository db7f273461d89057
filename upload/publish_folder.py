"""Publish a folder that was made elsewhere: claim a build, store it, and go on with the same build after kill -9."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from upload.censor import Censor
from upload.claim import MOST_TRIES, claim, newest_number, next_number
from upload.clone_records import read_clones
from upload.documents import UNKNOWN_VERSION, Pairs, Started, parse_started
from upload.errors import ResultsError, UsageError
from upload.journal import FileJournal
from upload.layout import build_paths
from upload.model import BuildRef
from upload.publish import Prepared, Publication, PublishRequest, prepare, publish_build
from upload.store.base import Store

ATTEMPT_OF = "attempt-of"


@dataclass(frozen=True, slots=True)
class FolderRequest:
    """A folder and what it becomes. ``wanted.number`` is empty for the next free id. ``now_s``: UTC epoch.

    ``commit``: of what was tested, where no clone records tell. ``new_attempt``: ``wanted.number`` is a build that is
    there; the folder becomes another one, whose metadata ``attempt-of`` names it.
    """

    folder: Path
    wanted: BuildRef
    node: str
    now_s: int
    version: str = UNKNOWN_VERSION
    metadata: Pairs = ()
    new_attempt: bool = False
    commit: str = ""

    @property
    def claims(self) -> BuildRef:
        """What is claimed: the build that is wanted, or any free one for a new attempt."""
        return replace(self.wanted, number="") if self.new_attempt else self.wanted

    def as_build(self, build: BuildRef) -> PublishRequest:
        """Return the request for the build that was claimed."""
        attempt = ((ATTEMPT_OF, self.wanted.number),) if self.new_attempt else ()
        return PublishRequest(build, self.folder, self.now_s, self.version, metadata=(*self.metadata, *attempt))


@dataclass(frozen=True, slots=True)
class _Memory:
    """What is written down before a build is claimed, and afterwards with its ``number``."""

    token: str
    now_s: int
    number: str = ""


def publish_folder(
    request: FolderRequest,
    store: Store,
    *,
    censor: Censor,
    state: Path,
    meanwhile: Callable[[BuildRef], int] | None = None,
) -> Publication:
    """Store a folder as a build. ``state``: a private folder where an unfinished publish is remembered.

    ``meanwhile`` is called once the build is claimed, before the folder is read, and returns when the tests ended (UTC
    epoch); not for a build that is finished.

    Killed at any point and called again with the same arguments it goes on with the same build. A build that is finished
    with the same content is left as it is; with other content that is a ResultsError.
    Raises UsageError when ``folder`` is none or holds ``state``, or the id asked for belongs to a build that is not ours.
    """
    if not request.folder.is_dir():
        raise UsageError(f"{request.folder} is no folder")
    if state.resolve().is_relative_to(request.folder.resolve()):
        raise UsageError(
            f"{request.folder} would be published with the state folder {state} that lies in it",
            hint="export E2E_STATE_DIR=/a/folder/elsewhere",
        )
    memory = state / _key(request, store)
    with _alone(memory):
        build = _build_of(memory, request, store, censor)
        if meanwhile is not None and store.stat(build_paths(build).finished) is None:
            request = replace(request, now_s=meanwhile(build))
        subject = store.uri_of(build_paths(build).folder)
        with FileJournal(memory / "journal", subject) as journal:
            scratch = memory / "files"
            done = publish_build(request.as_build(build), store, censor=censor, scratch=scratch, journal=journal)
        _forget(memory)
    return done


def preview_folder(request: FolderRequest, store: Store, *, censor: Censor, scratch: Path) -> Prepared:
    """Return what ``publish_folder`` would store, under the id it would get now. Nothing is written to the store."""
    newest = newest_number(store, request.wanted.prefix, request.wanted.job)
    number = request.claims.number or next_number(newest, request.now_s)
    return prepare(request.as_build(replace(request.wanted, number=number)), censor=censor, scratch=scratch)


def _build_of(place: Path, request: FolderRequest, store: Store, censor: Censor) -> BuildRef:
    """Return the build that this publish, or the one it resumes, has claimed; claim one where there is none."""
    memory = _remembered(place)
    if memory is None:
        _check_there(request, store)
        memory = _Memory(secrets.token_hex(8), request.now_s)
        _remember(place, memory)  # before the claim: one that is killed in the middle of it must find its build again
    elif not memory.number and (found := _found(memory, request, store)) is not None:
        memory = replace(memory, number=found.number)
    if not memory.number:
        memory = replace(memory, number=_claimed(memory, request, store, censor).number)
    _remember(place, memory)
    return replace(request.wanted, number=memory.number)


def _check_there(request: FolderRequest, store: Store) -> None:
    if request.new_attempt and store.stat(build_paths(request.wanted).started) is None:
        raise UsageError(
            f"{store.uri_of(build_paths(request.wanted).folder)}: there is no build to make another attempt of",
            hint="leave --new-attempt out",
        )


def _claimed(memory: _Memory, request: FolderRequest, store: Store, censor: Censor) -> BuildRef:
    wanted = request.claims
    if wanted.number and store.stat(build_paths(wanted).finished) is not None:
        return wanted  # nothing to claim: send finds out whether it is the same build
    clones = read_clones(request.folder)
    started = Started(
        request.now_s,
        censor.text(request.node),
        censor.text(request.version),
        repo_commit=censor.text(clones.repo_commit or request.commit),
        repos=tuple((censor.text(repo), censor.text(refs)) for repo, refs in clones.repos),
    )
    return claim(store, wanted, started, now_s=memory.now_s, token=lambda: memory.token)


def _found(memory: _Memory, request: FolderRequest, store: Store) -> BuildRef | None:
    """Return the build that a killed publish has claimed without writing down that it did."""
    later = (next_number("", memory.now_s + second) for second in range(MOST_TRIES))
    for number in [request.claims.number] if request.claims.number else later:
        build = replace(request.claims, number=number)
        stored = store.read(build_paths(build).started)
        try:
            if stored is not None and parse_started(stored.body).claim == memory.token:
                return build
        except ResultsError:  # somebody else's
            continue
    return None


def _key(request: FolderRequest, store: Store) -> str:
    facts = [
        store.uri,
        request.wanted.prefix,
        request.wanted.job,
        request.wanted.number,
        os.path.realpath(request.folder),
        request.new_attempt,
    ]
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _remembered(place: Path) -> _Memory | None:
    try:
        facts = json.loads((place / "build.json").read_bytes())
        return _Memory(str(facts["token"]), int(facts["now_s"]), str(facts["number"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _remember(place: Path, memory: _Memory) -> None:
    temporary = place / "build.json.new"
    with temporary.open("w") as file:
        json.dump(asdict(memory), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(place / "build.json")


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
