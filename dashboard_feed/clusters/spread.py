"""Where a cluster of failures is and where it is not: on one platform only, everywhere since a build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed.clusters.failures import Origin, origins
from upload.model import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard_feed.builds import Bucket
    from dashboard_feed.clusters.cluster import Cluster

NAMED = 5


@dataclass(frozen=True, slots=True)
class Runs:
    """When a test ran on a platform. UTC epochs; ``oldest_pass_s`` is None where it never passed."""

    newest_s: int
    oldest_pass_s: int | None


@dataclass(frozen=True, slots=True)
class Spread:
    """A cluster over the platforms.

    ``seen``: platforms where it is; ``spared``: those that ran one of its tests since its first failure without it.
    ``first``: the oldest build that has it; ``had_passed``: its tests had passed before that.
    """

    seen: tuple[str, ...]
    spared: tuple[str, ...]
    first: Origin
    had_passed: bool

    @property
    def words(self) -> str:
        """The same for people, without a full stop."""
        if self.spared:
            only = " only" if len(self.seen) == 1 else ""
            return f"on {_named(self.seen)}{only}, not on {_named(self.spared)}"
        if len(self.seen) == 1:
            return f"on {self.seen[0]}, where alone its tests ran"
        since = f" since build {self.first.build.number}" if self.had_passed else ", as far back as was read"
        return f"everywhere{since}"


def runs_of(buckets: Sequence[Bucket], tests: set[str]) -> dict[str, dict[str, Runs]]:
    """Return, for each of ``tests``, when it ran on each platform."""
    found: dict[str, dict[str, Runs]] = {}
    for origin in origins(buckets):
        for case in (*origin.build.cases, *origin.build.steps):
            if case.name not in tests or case.status is Status.SKIPPED:
                continue
            passed_s = origin.started_s if case.status is Status.PASSED else None
            platforms = found.setdefault(case.name, {})
            before = platforms.get(origin.platform, Runs(0, None))
            known = [at_s for at_s in (before.oldest_pass_s, passed_s) if at_s is not None]
            platforms[origin.platform] = Runs(max(before.newest_s, origin.started_s), min(known, default=None))
    return found


def spread_of(cluster: Cluster, runs: Mapping[str, Mapping[str, Runs]]) -> Spread:
    """Return where a cluster is. ``runs``: what ``runs_of`` told of its tests."""
    first = cluster.failures[0].origin
    seen = {failure.origin.platform for failure in cluster.failures}
    tests = {failure.test for failure in cluster.failures}
    ran = {
        platform for test in tests for platform, when in runs.get(test, {}).items() if when.newest_s >= first.started_s
    }
    passes = [when.oldest_pass_s for test in tests for when in runs.get(test, {}).values()]
    had_passed = any(at_s is not None and at_s < first.started_s for at_s in passes)
    return Spread(tuple(sorted(seen)), tuple(sorted(ran - seen)), first, had_passed)


def _named(platforms: Sequence[str]) -> str:
    more = [f"{len(platforms) - NAMED} more"] if len(platforms) > NAMED else []
    shown = [*platforms[:NAMED], *more]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
