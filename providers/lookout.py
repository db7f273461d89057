"""Abilities that a provider or a maker may have beside a run: what it finds of other runs, and says before anything is made.

They are asked for with ``hasattr``. Source: DESIGN section 5, small optional protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from providers.contracts import ClusterSpec, Context, Deadline, Resource


@dataclass(frozen=True, slots=True)
class Lookout:
    """What the core hands to a provider for a look that belongs to no run; the fields are those of ``Context``."""

    deadline: Deadline
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Marked:
    """Something that carries a mark. ``run``: as marks write it; ``expires_s``: UTC epoch."""

    resource: Resource
    run: str
    owner: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class Looked:
    """One thing that was looked at before anything is made. ``said``: how it is; ``mend``: the command that mends it."""

    name: str
    said: str
    mend: str = ""
    is_ok: bool = True


class LooksAhead(Protocol):
    """An ability that a provider or a maker may have: say what a run would meet, and make nothing."""

    def preflight(self, spec: ClusterSpec, look: Lookout) -> tuple[Looked, ...]:
        """Return every check in the order in which a run needs them. Whatever the service says is in there."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a cluster takes while it is there. ``price_per_hour``: of all its machines, where the config tells the price of one."""

    machines: int
    price_per_hour: float | None = None

    def over(self, hours: float) -> str:
        """Return what so many hours come to, for people."""
        told = f"{self.machines} machines for at most {hours:.1f} h are {self.machines * hours:.1f} machine-hours"
        if self.price_per_hour is None:
            return told
        return f"{told}, {self.price_per_hour * hours:.2f} at {self.price_per_hour:g} an hour"


class KeepsConsoles(Protocol):
    """An ability that a maker may have: have what machines wrote to their consoles, also those that let nobody in."""

    def consoles(self, ctx: Context) -> Mapping[str, Path]:
        """Return machine -> a file in the run's folder with the end of its console. Raises: ProviderError."""


class EstimatesCost(Protocol):
    """An ability that a provider or a maker may have: say what its machines cost. Opens and starts nothing."""

    def estimate_cost(self, spec: ClusterSpec) -> Cost:
        """Return what a cluster takes in an hour."""


class FindsMarked(Protocol):
    """An ability that a provider or a maker may have: find by marks alone what runs made, whoever's, wherever they ran.

    ``down`` then needs nothing of the run's folder.
    """

    def place(self) -> str:
        """Return where it looks, as a person calls it, such as ``project example-project``."""

    def marked(self, look: Lookout) -> tuple[Marked, ...]:
        """Return what carries a mark of any run. Raises: ProviderError, UsageError."""

    def remove_marked(self, wanted: Callable[[Marked], bool], look: Lookout) -> None:
        """Remove what carries a mark and is ``wanted``, as long as there is any. Raises: ProviderError, DeadlineExceeded."""
