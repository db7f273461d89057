"""Locks of the kernel on open files: they are free again as soon as their holder dies."""

from __future__ import annotations

import fcntl
import time

from providers.contracts import Deadline

POLL_S = 0.1


def try_lock(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file, or return False where another process keeps it. ``kind``: LOCK_EX or LOCK_SH."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(handle: int, deadline: Deadline) -> None:
    """Lock an open file once nobody else keeps it. Raises DeadlineExceeded."""
    while not try_lock(handle):
        deadline.check()
        time.sleep(POLL_S)
