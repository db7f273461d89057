"""A watch as a list of its events, with a deadline."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2

Event = tuple[str, dict[str, Any]]


def watch(
    http: httpx2.Client, path: str, *, until: Callable[[list[Event]], bool], timeout_s: int = 15, **params: str
) -> list[Event]:
    """Return the events of a watch, ``(type, object)``, up to the first moment when ``until(events)`` is true.

    ``params`` are query parameters such as ``resourceVersion``. Fails, showing what came, when the server ends the
    watch first: it does so after ``timeout_s``.
    """
    __tracebackhide__ = True
    query = {**params, "watch": "true", "timeoutSeconds": str(timeout_s)}
    events: list[Event] = []
    with http.stream("GET", path, params=query, timeout=timeout_s + 5) as answer:
        if not answer.is_success:
            answer.read()
            raise AssertionError(f"watch {path}: HTTP {answer.status_code}: {answer.text[:500]}")
        for line in answer.iter_lines():
            event = json.loads(line)
            events.append((event["type"], event["object"]))
            if until(events):
                return events
    seen = [(kind, obj.get("metadata", {}).get("name"), obj.get("message")) for kind, obj in events]
    raise AssertionError(f"watch {path} ended after {timeout_s} s with {seen}")
