"""The one thread with an event loop on which everything of SSH happens; what is above it just calls and waits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, wait
from typing import Any, TypeVar

from upload.errors import ProviderError

T = TypeVar("T")
LEAVE_S = 5.0
_LOOK_S = 0.5


class LoopThread:
    """An event loop in a thread of its own, started by the first call. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine there. Raises: ProviderError once the loop is closed."""
        with self._lock:  # whatever is handed over comes before the loop's end, which then cancels it
            if self._closed:
                work.close()
                raise ProviderError("stopped")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name="ssh", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def soon(self, act: Callable[[], None]) -> None:
        """Have ``act`` called there, without waiting; a closed loop has no more to do."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(act)

    def close(self, farewell: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``farewell`` there if the loop was ever used, cancel what runs and end the thread. Twice is fine."""
        with self._lock:
            self._closed = True
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(farewell(), loop).result(LEAVE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LEAVE_S)


class Calls:
    """Calls of one machine, which can be broken off together."""

    def __init__(self, loop: LoopThread) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._running: set[Future[Any]] = set()
        self._closed = False

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns; whatever breaks the wait, such as a signal, cancels it.

        Raises: whatever it raises; ProviderError when it was broken off by ``close``.
        """
        with self._lock:
            if self._closed:
                work.close()
                raise ProviderError("stopped")
            future = self._loop.submit(work)
            self._running.add(future)
        try:
            while not wait([future], _LOOK_S).done:
                pass  # a signal that another thread of the system got is handled here, between two waits
            return future.result()
        except CancelledError as exc:
            raise ProviderError("stopped") from exc
        finally:
            future.cancel()
            with self._lock:
                self._running.discard(future)

    def finish(self, act: Callable[[], None]) -> None:
        """Have ``act`` called on the loop, also after ``close``; nobody waits for it."""
        self._loop.soon(act)

    def close(self) -> None:
        """Cancel what runs and refuse what comes. Closing twice is fine."""
        with self._lock:
            self._closed = True
            left = tuple(self._running)
        for future in left:
            future.cancel()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
