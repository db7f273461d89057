"""What the tests of the lifecycle share: a display and a log that remember, and a clock that is set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from e2e.lifecycle.display import SuiteProgress
from providers.releases.sources import Progress
from upload.model import Case, StepRecord


@dataclass
class SeenDisplay:
    """Remembers what it is told, in order."""

    seen: list[str] = field(default_factory=list)

    def step_began(self, name: str) -> None:
        self.seen.append(f"began {name}")

    def step_ended(self, record: StepRecord) -> None:
        self.seen.append(f"ended {record.name} {record.failure}".rstrip())

    def note(self, text: str) -> None:
        self.seen.append(f"note {text}")

    def progress(self, progress: Progress) -> None:
        self.seen.append(f"progress {progress.program}")

    def suite(self, progress: SuiteProgress) -> None:
        self.seen.append(f"suite {progress.tally.done}")

    def case_ended(self, case: Case) -> None:
        self.seen.append(f"{case.status} {case.name}")

    def output(self, text: str) -> None:
        self.seen.append(f"output {text}")

    def close(self) -> None:
        self.seen.append("closed")


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def not_held() -> Iterator[None]:
    yield
