"""One collector at a time: a lease in the store, guarded by its generation, with the holder's name in it.

A holder renews it while it lives. One that was killed on this machine is seen to be dead at once; one elsewhere is waited
for until its lease is over. The manifest's own generation stands behind that: whoever lost the lease cannot commit.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from threading import Event, Thread
from typing import TYPE_CHECKING

from upload.errors import PreconditionFailed, ResultsError, StoreError
from upload.layout import NO_CACHE
from upload.model import Put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upload.store import Store

LEASE = "lease.json"
LEASE_S = 180
RENEW_S = 45.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who collects. ``born_s``: when its process began, which tells it from a later one of the same id; UTC epochs."""

    name: str
    host: str
    pid: int
    born_s: float
    since_s: int
    until_s: int


class LeaseTaken(ResultsError):
    """Somebody else is collecting into this warehouse."""

    def __init__(self, uri: str, holder: Holder, now_s: int) -> None:
        age = max(0, now_s - holder.since_s)
        super().__init__(
            f"{uri}: {holder.name} (process {holder.pid} on {holder.host}) has been collecting into it for {age} s",
            hint="wait until it is done; after one that died elsewhere its lease ends within "
            f"{max(1, holder.until_s - now_s)} s",
        )
        self.holder = holder


class Lease:
    """A lease that is held. ``check`` raises once it is lost."""

    def __init__(self, store: Store, holder: Holder, generation: int) -> None:
        self._store = store
        self._holder = holder
        self._generation = generation
        self._lost = Event()

    def check(self) -> None:
        """Raise ResultsError when somebody else holds the lease by now."""
        if self._lost.is_set():
            raise ResultsError(f"{self._store.uri}: the lease was lost to another collector; nothing more is written")

    def renew(self, now_s: int) -> None:
        """Hold it for longer. What the store cannot do now is tried again later."""
        self._holder = replace(self._holder, until_s=now_s + LEASE_S)
        try:
            self._generation = self._store.put(_put(self._holder), replaces=self._generation).generation
        except PreconditionFailed:
            self._lost.set()
        except StoreError:
            pass

    def release(self) -> None:
        """Let the next one in."""
        with suppress(StoreError):
            self._store.put(_put(replace(self._holder, until_s=0)), replaces=self._generation)


def myself(name: str, now_s: int) -> Holder:
    """Return this process as a holder."""
    import psutil

    pid = os.getpid()
    return Holder(name, socket.gethostname(), pid, psutil.Process(pid).create_time(), now_s, now_s + LEASE_S)


def is_dead(holder: Holder) -> bool:
    """Tell whether a holder is known to be gone: it was a process of this machine, and there is no such process."""
    import psutil

    if holder.host != socket.gethostname():
        return False
    try:
        return abs(float(psutil.Process(holder.pid).create_time()) - holder.born_s) > 2
    except psutil.Error:
        return True


@contextmanager
def held(store: Store, name: str, *, clock: Callable[[], float] = time.time) -> Iterator[Lease]:
    """Hold the lease of a warehouse, and renew it in the background. Raises LeaseTaken at once when it is taken."""
    lease = _take(store, myself(name, int(clock())), int(clock()))
    done = Event()

    def keep() -> None:
        while not done.wait(RENEW_S):
            lease.renew(int(clock()))

    thread = Thread(target=keep, daemon=True, name="lease")
    thread.start()
    try:
        yield lease
    finally:
        done.set()
        thread.join(RENEW_S)
        lease.release()


def _take(store: Store, me: Holder, now_s: int) -> Lease:
    stored = store.read(LEASE)
    other = _parse(stored.body) if stored else None
    if other and other.until_s > now_s and not is_dead(other):
        raise LeaseTaken(store.uri, other, now_s)
    try:
        generation = store.put(_put(me), replaces=stored.generation if stored else 0).generation
    except PreconditionFailed as error:
        stored = store.read(LEASE)
        other = _parse(stored.body) if stored else None
        if other is None:
            raise
        raise LeaseTaken(store.uri, other, now_s) from error
    return Lease(store, me, generation)


def _put(holder: Holder) -> Put:
    return Put(
        LEASE, json.dumps(asdict(holder)).encode(), "application/json", cache_control=NO_CACHE, create_only=False
    )


def _parse(body: bytes) -> Holder | None:
    """Return the holder, or None for what is no lease: then nobody can renew it."""
    try:
        return Holder(**json.loads(body))
    except (ValueError, TypeError):
        return None
