"""Makes what a run works with from its config: provider, programs of one version, time for each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.lifecycle.budget import job_budget
from e2e.lifecycle.display import Display
from e2e.lifecycle.run import Tools
from e2e.lifecycle.state import RunState
from e2e.settings import Settings
from providers.contracts import Binaries, Clock, Deadline, Download
from upload.errors import HarnessError, ProviderError

if TYPE_CHECKING:
    from providers.config.model import JobConfig

RESOLVE_S = 60.0
UNKNOWN = "unknown"
DIRECTORIES = ("file:", "https:", "source:")


@dataclass(frozen=True, slots=True)
class Version:
    """What is tested. ``unresolved``: why nobody knows."""

    binaries: Binaries
    text: str
    source: str
    unresolved: HarnessError | None = None


@dataclass(slots=True)
class LaterBinaries:
    """Programs that are looked for only when one is asked for. ``version`` is known already."""

    version: str
    resolve: Callable[[Deadline], Binaries]
    _found: Binaries | None = None

    def get(self, program: str, *, deadline: Deadline) -> Path:
        """Return the path of an executable. Raises ProviderError."""
        return self.ensure((program,), deadline=deadline)[program]

    def ensure(self, programs: Iterable[str], *, deadline: Deadline) -> Mapping[str, Path]:
        """Return the paths of several executables. Raises ProviderError."""
        return self._now(deadline).ensure(programs, deadline=deadline)

    def other(self, kubernetes: str = "", *, platform: str = "", deadline: Deadline) -> Binaries:
        """Return the programs of another version or platform. Raises UsageError, ProviderError."""
        return self._now(deadline).other(kubernetes, platform=platform, deadline=deadline)

    def published(self, program: str, *, deadline: Deadline) -> Download | None:
        """Return where an executable is published, if it is. Raises ProviderError."""
        return self._now(deadline).published(program, deadline=deadline)

    def _now(self, deadline: Deadline) -> Binaries:
        if self._found is None:
            self._found = self.resolve(deadline)
        return self._found


def resolve_version(job: JobConfig, settings: Settings, display: Display, *, offline: bool) -> Version:
    """Return the programs of the version that a config names.

    One that cannot be found out is an error of the first step and not of this call, so that it is published.
    Raises: UsageError for a version of another form.
    """
    from providers.releases.versions import resolve

    sources = settings.sources(offline=offline, progress=display.progress)
    deadline = Deadline.after(RESOLVE_S, f"finding out what {job.kubernetes} is")
    try:
        found = resolve(job.kubernetes, sources=sources, deadline=deadline)
    except ProviderError as error:
        return Version(LaterBinaries(UNKNOWN, _refuse(error)), UNKNOWN, job.kubernetes, error)
    return Version(found, found.version, found.source)


def later_version(state: RunState, job: JobConfig, settings: Settings, display: Display) -> Version:
    """Return the programs of the version that a run already has; nothing is looked up before one is asked for."""

    def resolve_again(deadline: Deadline) -> Binaries:
        from providers.releases.versions import resolve

        # a marker may have moved on meanwhile; a directory is where the programs are
        asked = job.kubernetes if job.kubernetes.startswith(DIRECTORIES) else state.version
        return resolve(asked, sources=sources, deadline=deadline)

    sources = settings.sources(offline=state.offline, progress=display.progress)
    return Version(LaterBinaries(state.version, resolve_again), state.version, state.version_source)


def make_tools(
    job: JobConfig, settings: Settings, version: Version, *, test_s: int | None, clock: Clock = time.monotonic
) -> Tools:
    """Return the tools of a run whose time begins now. Raises UsageError for a provider that cannot be made."""
    from providers.registry import make_provider, provider_type

    timeouts = job.defaults.timeouts
    seconds = {
        "up": timeouts.up_s,
        "test": timeouts.test_s,
        "dump": timeouts.dump_s,
        "down": timeouts.down_s,
        "publish": timeouts.publish_s,
        "total": timeouts.total_s,
    }
    return Tools(
        settings=settings,
        job=job,
        provider=make_provider(job.provider.name, job.provider.settings),
        owns_cluster=provider_type(job.provider.name).owns_cluster,
        binaries=version.binaries,
        budget=job_budget(seconds, test_s=test_s, clock=clock),
        unresolved=version.unresolved,
    )


def _refuse(error: HarnessError) -> Callable[[Deadline], Binaries]:
    def refuse(_deadline: Deadline) -> Binaries:
        raise error

    return refuse
