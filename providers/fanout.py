"""Run a few jobs beside each other, wait for all, and stop them all when the wait is broken off."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from providers.contracts import Deadline
from upload.errors import ProviderError

T = TypeVar("T")
WORKERS = 4
LEAVE_S = 12.0  # go's compilers get 5 s to end and 5 s more to be killed
_POLL_S = 0.2


class Limit:
    """Until when a job may run. Jobs look at it twice a second, save in one read from the network."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask everybody who works under this limit to end."""
        self._stopped.set()

    def check(self) -> None:
        """Raise DeadlineExceeded when no time is left, ProviderError when somebody asked to stop."""
        self.deadline.check()
        if self._stopped.is_set():
            raise ProviderError("stopped")


class _Worker(threading.Thread):
    """A thread with an event for its end: ``Thread.join``, broken off by a signal's exception, counts it as ended."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="fan-out", daemon=True)
        self._work = work
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            self._work()
        finally:
            self.ended.set()


class _Pool(Generic[T]):
    def __init__(self, jobs: Mapping[str, Callable[[Limit], T]], limit: Limit, workers: int) -> None:
        self.results: dict[str, T | Exception] = {}
        self._limit = limit
        self._waiting: queue.SimpleQueue[tuple[str, Callable[[Limit], T]]] = queue.SimpleQueue()
        for item in jobs.items():
            self._waiting.put(item)
        self._workers = [_Worker(self._work) for _ in range(min(workers, len(jobs)))]

    def _work(self) -> None:
        while True:
            try:
                name, job = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._limit.check()
                self.results[name] = job(self._limit)
            except Exception as exc:  # noqa: BLE001  # handed to the caller, who knows which are expected
                self.results[name] = exc

    def run(self, while_waiting: Callable[[], None]) -> None:
        for worker in self._workers:
            worker.start()
        for worker in self._workers:
            while not worker.ended.is_set():
                worker.ended.wait(_POLL_S)
                while_waiting()
                self._limit.deadline.check()
        while_waiting()

    def leave(self) -> None:
        self._limit.stop()
        give_up = Deadline.after(LEAVE_S, "stopping")
        for worker in self._workers:
            if worker.ident is not None:  # started
                worker.ended.wait(give_up.remaining_s())


def together(
    jobs: Mapping[str, Callable[[Limit], T]],
    deadline: Deadline,
    while_waiting: Callable[[], None] = lambda: None,
    *,
    workers: int = WORKERS,
    on_break: Callable[[], None] = lambda: None,
) -> dict[str, T | Exception]:
    """Run every job and return its result, or the exception that it raised, in the order of ``jobs``.

    ``while_waiting`` is called by the waiting thread, a few times a second; ``workers``: how many run at once.

    The waiting thread can be interrupted: whatever breaks the wait (the deadline, Ctrl-C, a signal's exception) is
    raised after ``on_break`` was called and the jobs were told to stop and given ``LEAVE_S`` to do so. A job stuck in a
    read is left behind; it touches nothing but its staging folder.
    """
    pool = _Pool(jobs, Limit(deadline), workers)
    try:
        pool.run(while_waiting)
    except BaseException:
        on_break()
        pool.leave()
        raise
    return {name: pool.results[name] for name in jobs}
