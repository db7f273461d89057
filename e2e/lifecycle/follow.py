"""Sends the log of a run while it goes on, so that a machine that dies has lost at most half a minute of it."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from upload.censor import Censor
from upload.errors import HarnessError
from upload.live_log import EVERY_S, LiveLog
from upload.model import BuildRef
from upload.store.base import GrowingStore

if TYPE_CHECKING:
    from e2e.lifecycle.run import Run

LOOK_S = 5.0  # how soon the first bytes are sent
OPERATION_S = 20.0  # then the next round tries again
LATENCY_S = 0.2  # how soon a signal is heard of
FAREWELL_S = 5.0  # for what is on its way when it ends


class Follower:
    """A thread that sends what has arrived. What goes wrong in it never touches the run: the whole log is sent at the end."""

    def __init__(
        self, uri: str, build: BuildRef, source: Path, censor: Callable[[], Censor], *, every_s: float = EVERY_S
    ) -> None:
        from upload.store import Patience, open_store

        self._stopped = threading.Event()
        self._every_s = every_s
        patience = Patience(
            operation_s=OPERATION_S,
            request_s=OPERATION_S,
            connect_s=5.0,
            remaining_s=lambda: 0.0 if self._stopped.is_set() else math.inf,
        )
        store = open_store(uri, patience=patience)
        self._log = LiveLog(store, build, source, censor) if isinstance(store, GrowingStore) else None
        self._thread = threading.Thread(target=self._follow, name="live-log", daemon=True)

    def start(self) -> None:
        """Begin, if the store lets an object grow."""
        if self._log is not None:
            self._thread.start()

    def stop(self) -> None:
        """End; what is on its way gets a moment."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(FAREWELL_S)

    def _follow(self) -> None:
        log, due_s = self._log, 0.0
        while log is not None and not log.is_over and not self._stopped.wait(min(LOOK_S, self._every_s)):
            if time.monotonic() < due_s:
                continue
            try:
                was_sent = log.send_more() > 0
            except HarnessError:  # a later try goes on where it was
                was_sent = True
            due_s = time.monotonic() + self._every_s if was_sent else 0.0


def follower_of(run: Run) -> Follower:
    """Return the follower of a run that has a build."""
    from e2e.lifecycle.publish import build_of

    def censor() -> Censor:
        return Censor((*run.tools.settings.secrets, *run.folder.read_secrets()))

    return Follower(run.state.store, build_of(run.state), run.log.path, censor)


@contextmanager
def followed(follower: Follower) -> Iterator[None]:
    """Follow while the block lasts."""
    follower.start()
    try:
        yield
    finally:
        follower.stop()


@contextmanager
def until_told() -> Iterator[Callable[[], None]]:
    """Give what waits for SIGINT or SIGTERM, also one that came since; a second one does what it did before."""
    told = False

    def tell(*_: object) -> None:
        # a plain flag: whoever waits for an Event holds its lock now and then, and a handler runs in between
        nonlocal told
        told = True
        forget()

    def forget() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def wait() -> None:
        while not told:
            time.sleep(LATENCY_S)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, tell)
        yield wait
    finally:
        forget()
