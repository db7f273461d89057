"""Makes what a run works with from its config: provider, programs of one version, time for each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2e.lifecycle.budget import job_budget
from e2e.lifecycle.display import Display
from e2e.lifecycle.run import Tools
from e2e.lifecycle.state import RunState
from e2e.settings import Settings
from providers.contracts import Binaries, Clock, ClusterSpec, Deadline, Download
from upload.errors import HarnessError, ProviderError, UsageError

if TYPE_CHECKING:
    from providers.config.model import JobConfig

RESOLVE_S = 60.0
UNKNOWN = "unknown"
DIRECTORIES = ("file:", "https:")
PLACES = (*DIRECTORIES, "source:")  # the programs are there and nowhere else


@dataclass(frozen=True, slots=True)
class Version:
    """What is tested.

    ``make_binaries``: gives the programs, told the folder for those that are built from a checkout. ``spec``: the
    cluster with the other versions in it. ``unresolved``: why nobody knows, or why they do not go together.
    """

    make_binaries: Callable[[Path], Binaries]
    spec: ClusterSpec
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
        return _unknown(job, _shown(job), error)
    version = Version(found.built_in, job.cluster.spec(), found.version, found.source)
    try:
        return replace(version, spec=settled(version.spec, found, deadline))
    except (ProviderError, UsageError) as error:
        return replace(version, unresolved=error)


def settled(spec: ClusterSpec, found: Binaries, deadline: Deadline) -> ClusterSpec:
    """Return the cluster with the other versions resolved: a marker may move on before they are used.

    Raises: UsageError when one does not go together with the cluster's; ProviderError when it cannot be found out.
    """
    from providers.releases.skew import SKEWS

    versions: dict[str, Any] = {}
    for key, wanted_of in SKEWS.items():
        asked = getattr(spec, key)
        if asked:
            other = found.other(asked, deadline=deadline).version
            if wanted := wanted_of(found.version, other):
                raise UsageError(f"cluster.{key} is {other}: expected {wanted}", hint="change it in the config")
            versions[key] = asked if asked.startswith(PLACES) else other
    return replace(spec, **versions)


def foreseen_version(job: JobConfig, settings: Settings, display: Display, *, offline: bool) -> Version:
    """Return the version that a run would test, for a look at it: of a checkout nothing is executed, not even git.

    Raises: UsageError for a version of another form.
    """
    if not job.is_built:
        return resolve_version(job, settings, display, offline=offline)
    from providers.releases.checkout import least_go
    from providers.releases.forms import checkout_of

    try:
        least_go(checkout_of(job.kubernetes))
    except ProviderError as error:
        return _unknown(job, _shown(job), error)
    return _unknown(job, f"{_shown(job)}, asked when the run begins")


def later_version(state: RunState, job: JobConfig, settings: Settings, display: Display) -> Version:
    """Return the programs of the version that a run already has; nothing is looked up before one is asked for."""
    sources = settings.sources(offline=state.offline, progress=display.progress)

    def make_binaries(built: Path) -> Binaries:
        if job.is_built:  # what it was then, and not what lies there now
            from providers.releases.built import Built
            from providers.releases.forms import checkout_of

            return Built(checkout_of(job.kubernetes), state.version, sources).built_in(built)

        def resolve_again(deadline: Deadline) -> Binaries:
            from providers.releases.versions import resolve

            # a marker may have moved on meanwhile; a directory is where the programs are
            asked = job.kubernetes if job.kubernetes.startswith(DIRECTORIES) else state.version
            return resolve(asked, sources=sources, deadline=deadline).built_in(built)

        return LaterBinaries(state.version, resolve_again)

    return Version(make_binaries, job.cluster.spec(), state.version, state.version_source)


def make_tools(
    job: JobConfig, settings: Settings, version: Version, *, test_s: int | None, clock: Clock = time.monotonic
) -> Tools:
    """Return the tools of a run whose time begins now. Raises UsageError for a provider that cannot be made."""
    from providers.registry import make_provider, provider_type

    timeouts = job.defaults.timeouts
    seconds = {
        "build": timeouts.build_s,
        "up": timeouts.up_s,
        "test": timeouts.test_s,
        "dump": timeouts.dump_s,
        "down": timeouts.down_s,
        "publish": timeouts.publish_s,
        "total": timeouts.total_s,
        **{name: hook.timeout_s for name, hook in job.hooks.given.items()},
    }
    return Tools(
        settings=settings,
        job=job,
        provider=make_provider(job.provider.name, job.provider.settings),
        owns_cluster=provider_type(job.provider.name).owns_cluster,
        spec=version.spec,
        make_binaries=version.make_binaries,
        budget=job_budget(seconds, test_s=test_s, clock=clock),
        unresolved=version.unresolved,
    )


def _shown(job: JobConfig) -> str:
    return "source" if job.is_built else job.kubernetes  # it is published, so a folder is not named


def _unknown(job: JobConfig, source: str, error: HarnessError | None = None) -> Version:
    refused = _refuse(error or ProviderError("the version is not known yet"))
    return Version(lambda _built: LaterBinaries(UNKNOWN, refused), job.cluster.spec(), UNKNOWN, source, error)


def unknown_version() -> Binaries:
    """Return the programs of a version that nobody knows: asking for one raises ProviderError."""
    return LaterBinaries(UNKNOWN, _refuse(ProviderError("the version is not known")))


def _refuse(error: HarnessError) -> Callable[[Deadline], Binaries]:
    def refuse(_deadline: Deadline) -> Binaries:
        raise error

    return refuse
