"""Several calls to a cloud at once, all of them waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from providers.contracts import Deadline
from providers.fanout import Limit, together
from providers.lookout import Looked
from upload.errors import HarnessError, raise_all

T = TypeVar("T")
AT_ONCE = 16
GRACE_S = 3.0  # a deadline of ours names the operation, and so must come before that of the wait


class Calls(Protocol):
    """What calls a cloud until a deadline."""

    @property
    def deadline(self) -> Deadline:
        """When to give up."""

    def stop(self) -> None:
        """Break off what waits."""


def beside(api: Calls, jobs: Mapping[str, Callable[[], T]]) -> dict[str, T | Exception]:
    """Do several things at once and return name -> what came of it, or what went wrong."""

    def job(act: Callable[[], T]) -> Callable[[Limit], T]:
        return lambda _limit: act()

    until = Deadline.after(api.deadline.remaining_s() + GRACE_S, api.deadline.what, api.deadline.clock)
    made = {name: job(act) for name, act in jobs.items()}
    return together(made, until, workers=AT_ONCE, on_break=api.stop)


def gather(api: Calls, what: str, jobs: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """Do several things at once and return name -> what came of it. Raises: what went wrong, all of it."""
    results = beside(api, jobs)
    raise_all(what, [result for result in results.values() if isinstance(result, Exception)])
    return {name: result for name, result in results.items() if not isinstance(result, Exception)}


def looked(api: Calls, parts: Mapping[str, Callable[[], tuple[Looked, ...]]]) -> tuple[Looked, ...]:
    """Look at several things beside each other; what cannot be looked at is a check that failed, under its name."""
    found: list[Looked] = []
    for name, result in beside(api, parts).items():
        if isinstance(result, HarnessError):
            found.append(Looked(name, str(result), result.hint, is_ok=False))
        elif isinstance(result, Exception):
            raise result
        else:
            found += result
    return tuple(found)
