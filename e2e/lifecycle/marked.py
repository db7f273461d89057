"""What runs left at a provider, by marks alone: of anybody, and of a run whose folder is on another computer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from e2e.lifecycle.acts import left_over
from e2e.lifecycle.display import Display
from e2e.lifecycle.run import CLUSTER
from e2e.lifecycle.tools import unknown_version
from e2e.settings import Settings
from providers.contracts import Context, Deadline, Provider, StepRecorder
from providers.lookout import FindsMarked, Lookout, Marked
from upload.errors import UsageError

if TYPE_CHECKING:
    from providers.config.model import JobConfig

LOOK_S = 120.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where marks are looked for. ``remove_s``: what removing may take, as its config says of the step Down."""

    name: str
    finder: FindsMarked
    variables: dict[str, str]
    remove_s: float

    def expired(self, now_s: float) -> tuple[Marked, ...]:
        """Return what nobody should need any more. Raises: ProviderError, UsageError."""
        look = Lookout(Deadline.after(LOOK_S, f"looking into {self.name}"), self.variables)
        return tuple(each for each in self.finder.marked(look) if is_expired(each, now_s))

    def remove_expired(self, now_s: float) -> None:
        """Remove it. Raises: ProviderError, DeadlineExceeded."""
        look = Lookout(Deadline.after(self.remove_s, f"removing from {self.name}"), self.variables)
        self.finder.remove_marked(lambda each: is_expired(each, now_s), look)


def is_expired(each: Marked, now_s: float) -> bool:
    """Say whether a thing is past what its run said."""
    return each.expires_s <= now_s


def places_of(jobs: Iterable[JobConfig], provider: str, settings: Settings) -> tuple[Place, ...]:
    """Return the places that the configs of a provider name, each once.

    Raises: UsageError when the provider has no marks to look for, or no config names a place.
    """
    found: dict[str, Place] = {}
    for job in jobs:
        if job.provider.name == provider:
            made = _finder(job)
            place = Place(made.place(), made, settings.variables_for(made), job.defaults.timeouts.down_s)
            found.setdefault(place.name, place)
    if not found:
        raise UsageError(f"no config says where '{provider}' makes things", hint=f"e2e gc --provider {provider} FILE")
    return tuple(found.values())


def by_run(found: Sequence[Marked]) -> dict[tuple[str, str, int], tuple[str, ...]]:
    """Return (run, owner, expiry) -> the names of its things, sorted."""
    runs: dict[tuple[str, str, int], list[str]] = {}
    for each in found:
        runs.setdefault((each.run, each.owner, each.expires_s), []).append(f"{each.resource.kind} {each.resource.name}")
    return {run: tuple(sorted(names)) for run, names in sorted(runs.items())}


def take_down_elsewhere(run: str, job: JobConfig, settings: Settings, display: Display) -> None:
    """Remove what carries a run's mark, with nothing but its name and its config.

    Raises: UsageError for a run of another job, or a provider that needs the folder; ProviderError naming what is left.
    """
    number = run.removeprefix(f"{job.job}-")
    if number == run or not number.isdecimal():
        raise UsageError(f"{run} is no run of {job.job}", hint=f"its name is {job.job}-YYYYMMDDHHMMSS")
    provider = cast("Provider", _finder(job))
    deadline = Deadline.after(job.defaults.timeouts.down_s, "down")
    with _context(run, provider, settings, _Noted(display), deadline) as ctx:
        provider.down(ctx)
        left_over(provider, ctx, hint=f"e2e down {run} --job {job.job}")


def _finder(job: JobConfig) -> FindsMarked:
    from providers.registry import make_provider

    made = make_provider(job.provider.name, job.provider.settings)
    if not hasattr(made, "marked"):
        raise UsageError(
            f"provider '{job.provider.name}' marks nothing that is found from elsewhere",
            hint="e2e gc   on the computer of the run",
        )
    return cast("FindsMarked", made)


@contextmanager
def _context(
    run: str, provider: Provider, settings: Settings, steps: StepRecorder, deadline: Deadline
) -> Iterator[Context]:
    with tempfile.TemporaryDirectory() as folder:
        yield Context(
            run=run,
            cluster=CLUSTER,
            folder=Path(folder),
            owner=settings.owner,
            expires_s=0,
            deadline=deadline,
            steps=steps,
            binaries=unknown_version(),
            variables=settings.variables_for(provider),
        )


@dataclass(frozen=True, slots=True)
class _Noted:
    """Tells a person what a provider does; there is no build to write it down for."""

    display: Display

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.display.note(name)
        yield

    def note(self, text: str) -> None:
        self.display.note(text)
