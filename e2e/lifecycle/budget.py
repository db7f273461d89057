"""How long each step may take. Source: DESIGN section 6, Deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from providers.contracts import Clock, Deadline

# These clean up and publish: they keep their own time when the total is over.
OUTSIDE_TOTAL = frozenset({"dump", "before_down", "down", "publish"})


@dataclass(frozen=True, slots=True)
class Budget:
    """``seconds``: step -> seconds; ``total_s`` bounds the steps before the clean-up, counted from ``begun_at``."""

    seconds: Mapping[str, float]
    total_s: float
    begun_at: float
    clock: Clock

    def deadline(self, step: str) -> Deadline:
        """Return the deadline of a step that begins now."""
        own = Deadline.after(self.seconds[step], step, self.clock)
        if step in OUTSIDE_TOTAL:
            return own
        total = Deadline(
            what=f"{step} (the run's total)", at=self.begun_at + self.total_s, total_s=self.total_s, clock=self.clock
        )
        return min(own, total, key=lambda each: each.at)


def job_budget(timeouts: Mapping[str, int], *, test_s: int | None, clock: Clock) -> Budget:
    """Return the budget of a job that begins now. ``timeouts``: step and ``total`` -> seconds; ``test_s`` overrides.

    A suite that was given more time on the command line lengthens the total by as much.
    """
    seconds = {step: float(value) for step, value in timeouts.items()}
    total_s = seconds.pop("total")
    if test_s is not None:
        total_s += max(0.0, test_s - seconds["test"])
        seconds["test"] = float(test_s)
    return Budget(seconds=seconds, total_s=total_s, begun_at=clock(), clock=clock)
