"""Faults at a moment: what is done as soon as ``up`` comes to a step, or a little later, while it is in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from providers.testing import RecordedSteps
from upload.errors import ProviderError


class Broken(ProviderError):
    """What a test breaks ``up`` with."""


def break_off() -> None:
    """Raise Broken."""
    raise Broken("the test ends it here")


@dataclass(slots=True)
class BreakAt(RecordedSteps):
    """A StepRecorder that does something when a step begins; ``after_s`` later if more than 0, beside the step."""

    at: str = ""
    fault: Callable[[], object] = break_off
    after_s: float = 0.0
    failed: list[BaseException] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record a part."""
        with RecordedSteps.step(self, name):
            if name != self.at:
                yield
                return
            if not self.after_s:
                self.fault()
                yield
                return
            timer = threading.Timer(self.after_s, self._later)
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                timer.join()

    def _later(self) -> None:
        try:
            self.fault()
        except BaseException as error:  # the test looks at it
            self.failed.append(error)
