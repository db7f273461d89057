"""How long and how often a store tries again. Time, sleep and chance are values, so that tests need no clock."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from upload.errors import DeadlineExceeded

T = TypeVar("T")


def _for_ever() -> float:
    return math.inf


def _in_silence(_what: str, _error: Exception, _pause_s: float) -> None:
    pass


def once(tell: Callable[[str], None]) -> Callable[[str, Exception, float], None]:
    """Return an ``on_wait`` that tells in one line of the first wait, and of no other."""
    lock = Lock()

    def on_wait(what: str, error: Exception, _pause_s: float) -> None:
        if lock.acquire(blocking=False):  # and never released
            tell(f"{what}: {type(error).__name__}; trying again")

    return on_wait


@dataclass(frozen=True, slots=True)
class Patience:
    """The limits of one operation on a store, seconds throughout.

    ``operation_s``: trying again ends so long after the first failure; ``request_s``: one request may be silent for so long;
    waits double from ``first_wait_s`` to ``longest_wait_s``, each drawn between half and the whole of that.
    ``remaining_s`` is what is left of the caller's deadline: it bounds everything. ``on_wait`` is told of each wait: for
    what, after which error, for how long; it is called from the thread that waits.
    """

    operation_s: float = 120.0
    request_s: float = 60.0
    connect_s: float = 10.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 16.0
    remaining_s: Callable[[], float] = _for_ever
    on_wait: Callable[[str, Exception, float], None] = _in_silence
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def timeouts(self) -> tuple[float, float]:
        """Return the connect and read timeout of one request, never past the deadline."""
        left = max(0.1, self.remaining_s())
        return min(self.connect_s, left), min(self.request_s, left)

    def persist(
        self,
        what: str,
        call: Callable[[], T],
        *,
        again: Callable[[Exception], bool],
        asked_wait_s: Callable[[Exception], float] = lambda _error: 0.0,
    ) -> T:
        """Return what ``call`` returns, trying again while ``again`` says that an error may pass.

        ``asked_wait_s``: how long the other side asks to be left alone after an error; never less is waited.
        The last error is raised when the operation's time or the caller's is up: it says what is wrong.
        Raises: DeadlineExceeded when there was no time for a first try.
        """
        failing_since: float | None = None  # a long piece of a file may fail after more than this, and be tried again
        wait_s = self.first_wait_s
        if self.remaining_s() <= 0:
            raise DeadlineExceeded(what, 0.0)
        while True:
            try:
                return call()
            except Exception as error:
                if not again(error):
                    raise
                pause_s = max(asked_wait_s(error), wait_s * (0.5 + self.chance() / 2))
                failing_since = self.clock() if failing_since is None else failing_since
                if self.clock() - failing_since + pause_s > self.operation_s or pause_s >= self.remaining_s():
                    raise
                self.on_wait(what, error, pause_s)
            self.sleep(pause_s)
            wait_s = min(wait_s * 2, self.longest_wait_s)
