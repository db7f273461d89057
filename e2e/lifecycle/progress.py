"""Follows the events file of a suite: how many cases ended how, at which attempt, which run, and what was left.

The events are those of ``e2e.plugin.events``: JSON lines, each flushed, so they survive a suite that is killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.lifecycle.counting import tally_of
from e2e.lifecycle.display import SuiteProgress
from e2e.lifecycle.growing import whole_lines
from e2e.lifecycle.state import NO_TALLY, Tally
from upload.model import Case, Status

FEWEST_FOR_ETA = 3
SHARE_FOR_ETA = 0.2  # before, only the quick cases have ended, and the slow ones that run count for nothing


@dataclass(slots=True)
class SuiteFollower:
    """What is known of one suite while it runs. ``look`` reads on; the rest are facts.

    ``base`` is the tally of an earlier pass of the same suite. ``ended`` is told of each case when it ends.
    ``attempts``: the cases in the order of their ends, a list for each run of pytest; the second one and later ones run
    what failed until then, and the last attempt of a case says how it ended.
    ``problems``: files that could not be collected, each of which is a failed case of its own.
    """

    file: Path
    ended: Callable[[Case], None]
    base: Tally = NO_TALLY
    clock: Callable[[], float] = time.monotonic
    total: int = 0
    attempts: list[list[Case]] = field(default_factory=lambda: [[]])
    running: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    _offset: int = 0
    _began: float | None = None

    def look(self) -> SuiteProgress:
        """Read what was written since the last look and return how far the suite is."""
        for line in self._new_lines():
            try:
                event = json.loads(line)
            except ValueError:  # a test wrote into our file; its problem
                continue
            if isinstance(event, dict):
                self._take(event)
        return SuiteProgress(tally=self.tally(), running=dict(self.running), eta_s=self._eta_s())

    def tally(self) -> Tally:
        """Return the counts, the earlier pass included."""
        cases = (case for attempt in self.attempts for case in attempt)
        return tally_of(cases, total=self.total + len(self.problems), base=self.base)

    def to_repeat(self) -> list[str]:
        """Return the names of the cases that failed at their last attempt, without the files that do not import."""
        failed = {case.name for case in self._ended().values() if case.status is Status.FAILED}
        return sorted(failed.difference(map(_uncollected, self.problems)))

    def _ended(self) -> dict[str, Case]:
        """Return the last attempt of each case, in the order of the first ones."""
        return {case.name: case for attempt in self.attempts for case in attempt}

    def _new_lines(self) -> list[bytes]:
        whole = whole_lines(self.file, self._offset)
        self._offset += len(whole)
        return whole.splitlines()

    def _take(self, event: dict[str, Any]) -> None:
        kind, name = event.get("event"), str(event.get("name", ""))
        if kind == "collected":
            self._begin_attempt(int(event.get("total", 0)))
        elif kind == "started":
            self.running[name] = float(event.get("at_s", 0.0))
        elif kind == "finished":
            self._finish(name, event)
        elif kind == "problem" and name not in self.problems:
            self.problems.append(name)
            self._finish(_uncollected(name), {"status": "failed", **event})
        elif kind == "leftover":
            self.leftovers.append(f"{event.get('kind', '')} {name}")

    def _begin_attempt(self, total: int) -> None:
        if self._began is None:
            self.total, self._began = total, self.clock()
            return
        self.attempts.append([])
        self.leftovers.clear()  # they are looked for at the end of each attempt

    def _finish(self, name: str, event: dict[str, Any]) -> None:
        self.running.pop(name, None)
        try:
            status = Status(str(event.get("status")))
        except ValueError:
            status = Status.FAILED
        text = str(event.get("text", ""))
        classname, seconds = str(event.get("classname", "")), float(event.get("seconds", 0.0))
        case = Case(name=name, status=status, seconds=seconds, classname=classname, text=text)
        self.attempts[-1].append(case)
        self.ended(case)

    def _eta_s(self) -> float | None:
        done = len(self._ended())
        if self._began is None or not self.total or done < max(FEWEST_FOR_ETA, SHARE_FOR_ETA * self.total):
            return None
        return (self.clock() - self._began) / done * max(0, self.total - done)


def _uncollected(file: str) -> str:
    return f"[suite] {file} should be collected"
