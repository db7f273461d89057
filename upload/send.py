"""The only part of publishing that touches the world: a plan goes into a store, in order, restartable at any point.

Readers take ``finished.json`` for "all is here" and ``latest-build.txt`` for "this build is finished", so each is written only
after everything it stands for. Nothing is overwritten but the two objects that all builds of a job share.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from threading import Event

from upload.documents import advance_latest, same_but_for_time
from upload.errors import PreconditionFailed, ResultsError, StoreError, raise_all
from upload.journal import Journal, NoJournal
from upload.layout import NO_CACHE, content_type
from upload.live_log import fold_log
from upload.model import BuildRef, Put
from upload.plan import Plan, size_bytes
from upload.results_cache import merge_cache
from upload.store.base import Store

WORKERS = 8
MERGE_TRIES = 60  # each lost race waits a second: a store takes about one write a second to one object
HOPELESS = (401, 403, 404)  # the next object would get the same answer

ANOTHER_ATTEMPT = "add --new-attempt to publish it as another attempt"

Update = Callable[[bytes | None], bytes | None]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a publish did. ``objects`` were written by it, ``kept`` were there already; ``size_bytes`` before compression."""

    objects: int
    kept: int
    size_bytes: int
    seconds: float
    was_finished: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """Time and chance of a sender. ``workers``: objects at once."""

    workers: int = WORKERS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


@dataclass(slots=True)
class _Tally:
    objects: int = 0
    kept: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Sender:
    store: Store
    journal: Journal
    pace: Pace
    hopeless: Event = field(default_factory=Event)


def send(
    plan: Plan,
    store: Store,
    *,
    journal: Journal | None = None,
    pace: Pace | None = None,
) -> Sent:
    """Write a plan and return what was done. Sending the same plan again writes nothing.

    A build that is finished already with the same content (timestamps apart) is completed, not sent again.
    Raises ResultsError when it is finished with other content; ManyErrors or StoreError when something could not be
    stored, and then nothing that comes later in the order was written.
    """
    sender = _Sender(store, journal or NoJournal(), pace or Pace())
    began = sender.pace.clock()
    tally = _Tally()
    was_finished = _is_finished(sender, plan)
    if was_finished:
        tally.kept = len(plan.puts())
    else:
        _send_all(sender, plan.artifacts, tally)
        if plan.log:
            _send_log(sender, plan.build, plan.log, tally)
        _finish(sender, plan, tally)
    shared = _merge_shared(sender, plan)
    tally.objects += shared
    tally.kept += 2 - shared
    return Sent(tally.objects, tally.kept, tally.size_bytes, sender.pace.clock() - began, was_finished)


def update_object(store: Store, put: Put, update: Update, *, pace: Pace) -> bool:
    """Read, change and write one shared object until nobody was faster. Returns whether it was written.

    ``update``: body or None (no object) → new body, or None when it need not change. ``put`` gives path and headers.
    """
    for attempt in range(MERGE_TRIES):
        found = store.read(put.path)
        body = update(found.body if found else None)
        if body is None:
            return False
        try:
            store.put(replace(put, body=body), replaces=found.generation if found else 0)
        except PreconditionFailed:
            pace.sleep(min(1.0, 0.05 * 2**attempt) * (0.5 + pace.chance()))
            continue
        return True
    raise StoreError(
        store.uri_of(put.path), 412, f"changed by others {MERGE_TRIES} times while we merged", hint="publish again"
    )


def _is_finished(sender: _Sender, plan: Plan) -> bool:
    """Say whether the build is finished with what the plan holds. Raises ResultsError: finished with something else."""
    found = sender.store.read(plan.finished.path)
    if found is None:
        return False
    uri = sender.store.uri_of(plan.finished.path)
    if not isinstance(plan.finished.body, bytes) or not same_but_for_time(found.body, plan.finished.body):
        raise ResultsError(f"{uri}: the build is finished with another verdict", hint=ANOTHER_ATTEMPT)
    rest = plan.puts()[:-1]
    with ThreadPoolExecutor(sender.pace.workers) as pool:
        there = list(pool.map(sender.store.holds, rest))
    missing = [put.path for put, is_there in zip(rest, there, strict=True) if not is_there]
    if missing:
        raise ResultsError(f"{uri}: the build is finished without {missing[0]} as it is here", hint=ANOTHER_ATTEMPT)
    return True


def _send_all(sender: _Sender, puts: Sequence[Put], tally: _Tally) -> None:
    """Write objects several at once; wait for all of them; raise what went wrong with any."""
    with ThreadPoolExecutor(sender.pace.workers, thread_name_prefix="upload") as pool:
        waiting = [pool.submit(_store, sender, put) for put in puts]
        try:
            wait(waiting)
        except BaseException:  # a signal: what is in hand is finished, nothing more is begun
            sender.hopeless.set()
            raise
    errors = [error for future in waiting if (error := future.exception()) is not None]
    for put, future in zip(puts, waiting, strict=True):
        if future.exception() is None and future.result() is not None:
            _count(tally, put, was_written=bool(future.result()))
    fatal = [error for error in errors if not isinstance(error, Exception)]
    if fatal:
        raise fatal[0]
    failed = [error for error in errors if isinstance(error, Exception)]
    if failed and sender.hopeless.is_set():
        raise failed[0]
    raise_all("objects could not be stored", failed)


def _send_log(sender: _Sender, build: BuildRef, log: Put, tally: _Tally) -> None:
    is_there = _was_stored(sender, log)
    if not is_there:
        fold_log(sender.store, build, log)
        sender.journal.add(log.path)
    _count(tally, log, was_written=not is_there)


def _store(sender: _Sender, put: Put) -> bool | None:
    """Write one object. True: written, False: it was there, None: not tried because the store refuses everything."""
    if sender.hopeless.is_set():
        return None
    if _was_stored(sender, put):
        return False
    try:
        sender.store.put(put)
    except PreconditionFailed as error:
        raise _changed(sender.store.uri_of(put.path)) from error
    except StoreError as error:
        if error.status in HOPELESS:
            sender.hopeless.set()
        raise
    sender.journal.add(put.path)
    return True


def _was_stored(sender: _Sender, put: Put) -> bool:
    """Say whether an earlier try stored an object, which is looked at then and not sent again."""
    if not sender.journal.has(put.path):
        return False
    if not sender.store.holds(put):
        raise _changed(sender.store.uri_of(put.path))
    return True


def _changed(uri: str) -> ResultsError:
    what = "an earlier try stored it with other content: the file changed since, or the build is somebody else's"
    return ResultsError(f"{uri}: {what}", hint=ANOTHER_ATTEMPT)


def _finish(sender: _Sender, plan: Plan, tally: _Tally) -> None:
    try:
        sender.store.put(plan.finished)
    except PreconditionFailed:
        if not _is_finished(sender, plan):  # somebody finished it between our look and our write; is it the same?
            raise
        _count(tally, plan.finished, was_written=False)
    else:
        _count(tally, plan.finished, was_written=True)


def _merge_shared(sender: _Sender, plan: Plan) -> int:
    cache = Put(plan.cache, b"", content_type(plan.cache), cache_control=NO_CACHE, create_only=False)
    latest = Put(plan.latest, b"", content_type(plan.latest), cache_control=NO_CACHE, create_only=False)
    written = update_object(sender.store, cache, lambda body: merge_cache(body, plan.entry), pace=sender.pace)
    number = plan.build.number
    return written + update_object(sender.store, latest, lambda body: advance_latest(body, number), pace=sender.pace)


def _count(tally: _Tally, put: Put, *, was_written: bool) -> None:
    if was_written:
        tally.objects += 1
        tally.size_bytes += size_bytes(put.body)
    else:
        tally.kept += 1
