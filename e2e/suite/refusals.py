"""What the API server says when it refuses a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from lightkube import ApiError


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status of a refused request: HTTP code, machine-readable reason, message, and the fields it blames."""

    code: int
    reason: str
    message: str = field(compare=False)
    fields: tuple[str, ...] = field(default=(), compare=False)


def refusal(request: Callable[[], object]) -> Refusal:
    """Make a request that must be refused and return the refusal. Fails when it is accepted.

    Two refusals are equal when code and reason are: ``assert refusal(lambda: …) == Refusal(409, "Conflict", "")``.
    """
    __tracebackhide__ = True
    with pytest.raises(ApiError) as caught:
        request()
    status = caught.value.status
    causes = (status.details.causes if status.details else None) or []
    return Refusal(
        code=status.code or 0,
        reason=status.reason or "",
        message=status.message or "",
        fields=tuple(cause.field or "" for cause in causes),
    )
