"""What the API server says when it refuses a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lightkube import ApiError


class Accepted(AssertionError):
    """A request that had to be refused was not; ``eventually`` takes it for "not yet"."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status of a refused request: HTTP code, machine-readable reason, message, and the fields it blames."""

    code: int
    reason: str
    message: str = field(compare=False)
    fields: tuple[str, ...] = field(default=(), compare=False)


def refusal(request: Callable[[], object]) -> Refusal:
    """Make a request that must be refused and return the refusal. Raises Accepted when it is not refused.

    Two refusals are equal when code and reason are: ``assert refusal(lambda: …) == Refusal(409, "Conflict", "")``.
    """
    __tracebackhide__ = True
    try:
        answer = request()
    except ApiError as error:
        status = error.status
    else:
        raise Accepted(f"the request was accepted: {answer!r:.500}")
    causes = (status.details.causes if status.details else None) or []
    return Refusal(
        code=status.code or 0,
        reason=status.reason or "",
        message=status.message or "",
        fields=tuple(cause.field or "" for cause in causes),
    )
