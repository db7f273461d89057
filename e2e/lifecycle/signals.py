"""Signals and hard deadlines: counted always, raised in the main thread only where a step may be cut.

A blocking call of a provider or a library is cut by raising ``StepCut`` from the signal handler, which Python runs in
the main thread; system calls return for it. Three rules keep that safe:

- ``cuttable()`` is the only place where it is raised. Dump, down and publish run outside it, or in one that asks for a
  second signal.
- ``held()`` puts it off while our own books are written (steps, state, log).
- ``StepCut`` is no ``Exception``, so that a ``except Exception`` of a library does not swallow it; where something
  swallows it all the same, it is raised again after ``AGAIN_S``.

The third signal leaves at once, from wherever it comes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Self, TypeVar

from providers.contracts import Deadline
from upload.errors import DeadlineExceeded, HarnessError, Interrupted, Outcome

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LEAVE_AT = 3
AGAIN_S = 15.0
SHORTEST_TIMER_S = 0.001  # a timer of 0 would be none


T = TypeVar("T")


def _survives(number: int) -> bool:
    """Say whether whoever started us wants us to outlive this signal: nohup ignores SIGHUP."""
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def _ignore(_count: int) -> None:
    pass


class StepCut(BaseException):
    """The step that runs must end now. Raised by the handler only, and turned into its ``reason`` by ``cuttable``."""

    def __init__(self, reason: HarnessError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(slots=True)
class _Region:
    """A part of the program that may be cut.

    ``at``: by which signal; ``grace_s``: how long it may end by itself once there is a reason; ``ends_at``: until when
    that is, on the monotonic clock; ``cut``: the cut is raised already.
    """

    at: int
    deadline: Deadline
    grace_s: float
    ends_at: float | None = None
    cut: bool = False


class Signals:
    """Receives the signals of one command while it is entered; lives in the main thread.

    ``on_signal(count)`` is called once for each signal, never inside ``held()``. ``farewell()`` returns what to say
    when the third signal makes us leave: what is left, and which command removes it. Both may be set later.
    ``groups`` are process groups that must not outlive us.
    """

    def __init__(self, *, again_s: float = AGAIN_S) -> None:
        self._again_s = again_s
        self.received: list[int] = []
        self.groups: set[int] = set()
        self.on_signal: Callable[[int], None] = _ignore
        self.farewell: Callable[[], str] = str
        self._told = 0
        self._holds = 0
        self._region: _Region | None = None
        self._before: dict[int, Any] = {}

    @property
    def count(self) -> int:
        """How many signals came."""
        return len(self.received)

    def __enter__(self) -> Self:
        """Take over the signals."""
        taken = [number for number in SIGNALS if not _survives(number)]
        self._before = {number: signal.signal(number, self._handle) for number in taken}
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._wake)
        return self

    def __exit__(self, *_exc: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put off cuts and ``on_signal`` while our books are written. Keep it short."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._react()

    def cuttable(self, work: Callable[[], T], deadline: Deadline, *, at: int, grace_s: float = 0.0) -> T:
        """Return what ``work`` returns; it is cut at its deadline, or at signal number ``at``, ``grace_s`` later.

        A function and not a context manager: the handler may run on the first line of an ``__exit__``, and what it
        raises there would leave the region open.
        Raises: Interrupted or DeadlineExceeded when it was cut, also when what was cut raised something else.
        """
        region = _Region(at, deadline, grace_s)
        before = signal.setitimer(signal.ITIMER_REAL, 0)  # another user's timer, such as that of a test runner
        try:
            try:
                self._region = region
                self._react()  # a signal may have come before
                return work()
            finally:
                self._region = None
        except StepCut as exc:
            raise exc.reason from exc
        except Exception as exc:
            why = self.reason(at, deadline) if region.cut else None
            if why is None:
                raise
            why.add_note(f"while it was stopped: {exc}")
            raise why from exc
        finally:
            self._region = None
            signal.setitimer(signal.ITIMER_REAL, *before)

    def reason(self, at: int, deadline: Deadline) -> HarnessError | None:
        """Return why something should stop now: signal number ``at`` came, or its time is over. None: it may go on."""
        if self.count >= at:
            return Interrupted(self.received[0])
        if deadline.remaining_s() <= 0:
            return DeadlineExceeded(deadline.what, deadline.total_s)
        return None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        if self.count >= LEAVE_AT:
            self._leave()
        self._react()

    def _react(self) -> None:
        if self._holds:
            return
        while self._told < self.count:
            self._told += 1
            self._holds += 1  # what it writes must not be cut either
            try:
                self.on_signal(self._told)
            finally:
                self._holds -= 1
        region = self._region
        if region is None or region.cut:
            return
        wait_s = self._wait_s(region)
        reason = self.reason(region.at, region.deadline) if wait_s <= 0 else None
        region.cut = reason is not None
        signal.setitimer(signal.ITIMER_REAL, self._again_s if region.cut else wait_s + SHORTEST_TIMER_S)
        if reason is not None:
            raise StepCut(reason)

    def _wait_s(self, region: _Region) -> float:
        """Return for how many seconds the region may go on, as things stand."""
        if region.ends_at is None:
            if self.reason(region.at, region.deadline) is None:
                return region.deadline.remaining_s()
            region.ends_at = time.monotonic() + region.grace_s
        return max(0.0, region.ends_at - time.monotonic())

    def _wake(self, _number: int, _frame: FrameType | None) -> None:
        if self._region is not None:
            self._region.cut = False  # if it was cut before, something swallowed that
            self._react()

    def _leave(self) -> None:
        """Leave without unwinding: whatever hangs, hangs in there. State is on disk after every change."""
        with contextlib.suppress(Exception):
            os.write(2, f"\x1b[?25h\n{self.farewell()}\n".encode())
        for group in self.groups:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        os._exit(Outcome.ABORTED.value.exit_code)
