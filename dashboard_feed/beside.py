"""Many calls beside each other, each with a time of its own. One that never comes back costs its own result only."""

from __future__ import annotations

import time
from collections import deque
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")


def each_within(
    items: Sequence[T], call: Callable[[T], R], *, at_once: int, seconds: float, late: Callable[[T], R]
) -> tuple[R, ...]:
    """Return what ``call`` returns for each item, in their order; ``late`` gives the result of one that takes too long.

    The thread of a late one is left alone and ends with the process: what it still returns is dropped, and its place is
    taken by the next one. Raises the first error that ``call`` raised, once all others have come back.
    """
    done: SimpleQueue[tuple[int, R | None, Exception | None]] = SimpleQueue()
    waiting, until = deque(range(len(items))), dict[int, float]()
    results: dict[int, R] = {}
    errors: dict[int, Exception] = {}

    def work(index: int) -> None:
        try:
            done.put((index, call(items[index]), None))
        except Exception as error:  # noqa: BLE001  # raised again by the caller's thread
            done.put((index, None, error))

    while waiting or until:
        while waiting and len(until) < at_once:
            index = waiting.popleft()
            until[index] = time.monotonic() + seconds
            Thread(target=work, args=(index,), daemon=True, name=f"beside-{index}").start()
        try:
            index, result, error = done.get(timeout=max(0.0, min(until.values()) - time.monotonic()))
        except Empty:
            for index in [i for i, moment in until.items() if moment <= time.monotonic()]:
                del until[index]
                results[index] = late(items[index])
            continue
        if until.pop(index, None) is None:
            continue  # its time was over
        if error is not None:
            errors[index] = error
        else:
            results[index] = result  # type: ignore[assignment]  # R may be None itself
    if errors:
        raise errors[min(errors)]
    return tuple(results[index] for index in range(len(items)))
