"""Waiting for a cluster: poll until a condition holds, with a deadline and the last observation in the message."""

from __future__ import annotations

import pprint
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from httpx2 import HTTPError

T = TypeVar("T")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
GROWTH = 1.5
SHOWN_CHARS = 4_000

# Not there yet (lightkube's ApiError is an HTTPError too), not answered yet, not filled in yet (lightkube leaves None). Anything else is raised at once.
NOT_YET = (HTTPError, AssertionError, AttributeError, LookupError, TypeError)


class NotInTime(AssertionError):
    """A condition did not hold within its deadline, or stopped holding."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The two waits of a test, on a clock of its choice: ``eventually`` and ``consistently``."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def eventually(
        self, fn: Callable[[], T], *, until: Callable[[T], object] = bool, timeout_s: float = 30.0, what: str = ""
    ) -> T:
        """Return the first value of ``fn()`` for which ``until(value)`` is true.

        Polls after 50 ms, then ever more slowly, at most every second. An API error, a failed assertion or a field that
        is still missing, in ``fn`` or ``until``, counts as "not yet". ``what`` names the condition in the message.
        Raises NotInTime with the last value and the last error.
        """
        __tracebackhide__ = True
        started, pause, seen = self.clock(), FIRST_PAUSE_S, _Seen()
        while True:
            try:
                seen.value = value = fn()
                seen.error = None
                if until(value):
                    return value
            except NOT_YET as error:
                seen.error = error
            left = timeout_s - (self.clock() - started)
            if left <= 0:
                raise NotInTime(f"not within {timeout_s:g} s{_colon(what)}\n{seen}") from seen.error
            self.sleep(min(pause, left))
            pause = min(pause * GROWTH, LONGEST_PAUSE_S)

    def consistently(
        self, fn: Callable[[], T], *, until: Callable[[T], object] = bool, for_s: float = 1.0, what: str = ""
    ) -> T:
        """Return the last value of ``fn()`` after ``until(value)`` was true at every poll of ``for_s`` seconds.

        Errors are raised. Raises NotInTime with the value that broke the condition. Keep ``for_s`` short and prefer a
        wait for something that happens afterwards: nothing can prove that a thing never happens.
        """
        __tracebackhide__ = True
        started = self.clock()
        while True:
            value = fn()
            passed_s = self.clock() - started
            if not until(value):
                raise NotInTime(f"only held for {passed_s:.1f} of {for_s:g} s{_colon(what)}\n{_Seen(value)}")
            if passed_s >= for_s:
                return value
            self.sleep(2 * FIRST_PAUSE_S)


_NOTHING = object()


@dataclass(slots=True)
class _Seen:
    """The last observation, for people."""

    value: object = _NOTHING
    error: Exception | None = None

    def __str__(self) -> str:
        lines = []
        if self.value is not _NOTHING:
            lines.append(f"last observation: {_shown(self.value)}")
        if self.error is not None:
            lines.append(f"last error: {type(self.error).__name__}: {self.error}")
        return "\n".join(lines)


def _colon(what: str) -> str:
    return f": {what}" if what else ""


def _shown(value: object) -> str:
    """Return a value as text: resources as plain data, long ones cut in the middle."""
    plain = [_plain(item) for item in value] if isinstance(value, list | tuple) else _plain(value)
    text = pprint.pformat(plain, width=110, compact=True, sort_dicts=False)
    if len(text) <= SHOWN_CHARS:
        return text
    half = SHOWN_CHARS // 2
    return f"{text[:half]}\n… {len(text) - SHOWN_CHARS} characters …\n{text[-half:]}"


def _plain(value: object) -> object:
    as_dict = getattr(value, "to_dict", None)
    return _without_nothing(as_dict()) if callable(as_dict) else value


def _without_nothing(value: object) -> object:
    """Drop what nobody reads in a failure: empty fields and managedFields."""
    if isinstance(value, dict):
        return {k: _without_nothing(v) for k, v in value.items() if v is not None and k != "managedFields"}
    if isinstance(value, list):
        return [_without_nothing(item) for item in value]
    return value
