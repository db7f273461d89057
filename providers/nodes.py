"""The same action on several machines at once: bounded, all of them waited for, all failures told together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from providers.contracts import Deadline, Node
from providers.fanout import Limit, together
from upload.errors import NodeUnreachable, raise_all

T = TypeVar("T")
AT_ONCE = 25
_LOOK_S = 1.0


def fan_out(
    nodes: Sequence[Node], action: Callable[[Node], T], *, what: str, deadline: Deadline, limit: int = AT_ONCE
) -> dict[str, T]:
    """Return node name -> what ``action`` returned for it, in the order of ``nodes``; at most ``limit`` run at once.

    All are waited for. One that failed raises its own error; several raise ManyErrors with all of them. What breaks the
    wait (a signal, the deadline) closes the nodes, so that no action goes on behind our back.
    """

    def job(node: Node) -> Callable[[Limit], T]:
        return lambda _limit: action(node)

    def close() -> None:
        for node in nodes:
            node.close()

    results = together({node.name: job(node) for node in nodes}, deadline, workers=limit, on_break=close)
    raise_all(what, [result for result in results.values() if isinstance(result, Exception)])
    return {name: result for name, result in results.items() if not isinstance(result, Exception)}


def wait_until_reachable(
    node: Node, *, passing: frozenset[str], deadline: Deadline, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Return once a machine runs commands, trying again while the reason is one of ``passing``.

    Raises: NodeUnreachable with the last reason, also when the deadline is over; DeadlineExceeded.
    """
    while True:
        try:
            node.run(("true",), deadline=deadline)
        except NodeUnreachable as error:
            if error.reason not in passing or deadline.remaining_s() <= _LOOK_S:
                raise
            sleep(_LOOK_S)
        else:
            return
