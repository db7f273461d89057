"""Failures that say the same: their page, and the files that triage reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed import links
from dashboard_feed.clusters import triage
from dashboard_feed.clusters.cluster import Cluster, make_clusters
from dashboard_feed.clusters.failures import Failure, failures, origins
from dashboard_feed.clusters.spread import Spread, runs_of, spread_of
from dashboard_feed.pages import anchor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_feed.builds import Bucket
    from dashboard_feed.render import Renderer

MOST_SHOWN = 100
MOST_TESTS = 10
MOST_JOBS = 8


@dataclass(frozen=True, slots=True)
class ShownTest:
    """One test of a cluster: how often it failed so, and the newest such failure of each of its jobs."""

    name: str
    failures: int
    newest: tuple[Failure, ...]
    hidden_jobs: int


@dataclass(frozen=True, slots=True)
class ShownCluster:
    """One cluster as its page shows it. ``last``: its newest failure; ``builds``: how many builds it is in."""

    cluster: Cluster
    spread: Spread
    last: Failure
    builds: int
    tests: tuple[ShownTest, ...]
    hidden_tests: int


def cluster_files(renderer: Renderer, buckets: Sequence[Bucket]) -> dict[str, bytes]:
    """Return the page of clusters and triage's input and output."""
    found, known = failures(buckets), list(origins(buckets))
    clusters = make_clusters(found)
    several = [cluster for cluster in clusters if len(cluster.failures) > 1]
    shown = several[:MOST_SHOWN]
    runs = runs_of(buckets, {failure.test for cluster in shown for failure in cluster.failures})
    page = renderer.page(
        "clusters.html",
        links.CLUSTERS,
        is_bad=bool(several),
        clusters=[_shown(cluster, spread_of(cluster, runs)) for cluster in shown],
        hidden=len(several) - len(shown),
        single=len(clusters) - len(several),
        failure_count=len(found),
        platform_count=len({origin.platform for origin in known}),
        anchor=anchor,
        OUTPUT=triage.OUTPUT,
    )
    return {
        links.CLUSTERS: page,
        triage.BUILDS: triage.render_builds(known),
        triage.TESTS: triage.render_tests(found),
        triage.OUTPUT: triage.render_output(clusters, known),
    }


def _shown(cluster: Cluster, spread: Spread) -> ShownCluster:
    tests: dict[str, list[Failure]] = {}
    for failure in cluster.failures:
        tests.setdefault(failure.test, []).append(failure)
    ordered = sorted(tests.items(), key=lambda item: (-len(item[1]), item[0]))
    return ShownCluster(
        cluster,
        spread,
        cluster.failures[-1],
        len({failure.origin.path for failure in cluster.failures}),
        tuple(_shown_test(name, many) for name, many in ordered[:MOST_TESTS]),
        max(0, len(ordered) - MOST_TESTS),
    )


def _shown_test(name: str, many: Sequence[Failure]) -> ShownTest:
    newest = {failure.origin.job.full_name: failure for failure in many}  # given oldest first
    jobs = [newest[job] for job in sorted(newest)]
    return ShownTest(name, len(many), tuple(jobs[:MOST_JOBS]), max(0, len(jobs) - MOST_JOBS))
