"""Triage's files: what it reads (builds, failed tests) and what it writes (clusters and builds in columns).

Source: consumers.md section 7; kubernetes/test-infra triage/summarize (files.go, output.go).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from dashboard_feed.builds import DAY_S
from upload.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dashboard_feed.clusters.cluster import Cluster
    from dashboard_feed.clusters.failures import Failure, Origin

BUILDS = "triage/builds.json"
TESTS = "triage/failed_tests.json"
OUTPUT = "triage/failure_data.json"

_SIG = re.compile(r"\[sig-([^]]*)\]")


def render_builds(origins: Iterable[Origin]) -> bytes:
    """Return the builds as triage reads them: one JSON array, every value a string."""
    return _json([_build(origin) for origin in origins])


def render_tests(failures: Iterable[Failure]) -> bytes:
    """Return the failures as triage reads them: one JSON object a line."""
    lines = (
        {
            "started": str(failure.origin.started_s),
            "build": failure.origin.path,
            "name": failure.test,
            "failure_text": failure.text,
        }
        for failure in failures
    )
    return b"".join(_json(line) + b"\n" for line in lines)


def render_output(clusters: Sequence[Cluster], origins: Sequence[Origin]) -> bytes:
    """Return the clusters as triage's page reads them; one that was seen once is left out, as there."""
    newest_s = max((origin.started_s for origin in origins), default=0)
    clustered = [
        {
            "key": cluster.key,
            "id": cluster.id,
            "text": cluster.text,
            "spans": cluster.spans,
            "tests": _tests(cluster),
            "owner": owner_of(cluster, newest_s),
        }
        for cluster in clusters
        if len(cluster.failures) > 1
    ]
    return _json({"clustered": clustered, "builds": _columns(origins)})


def owner_of(cluster: Cluster, newest_s: int) -> str:
    """Return the SIG with most failures in the last day, then in all, then by name; ``testing`` where none is named."""
    counts: Counter[tuple[str, bool]] = Counter()
    for failure in cluster.failures:
        if found := _SIG.search(failure.test):
            counts[found[1], failure.origin.started_s > newest_s - DAY_S] += 1
    owners = {sig for sig, _ in counts}
    return min(owners, key=lambda sig: (-counts[sig, True], -counts[sig, False], sig), default="testing")


def _build(origin: Origin) -> dict[str, str]:
    build = origin.build
    failed = {case.name for case in (*build.cases, *build.steps) if case.status is Status.FAILED}
    run = {case.name for case in (*build.cases, *build.steps) if case.status is not Status.SKIPPED}
    return {
        "path": origin.path,
        "started": str(origin.started_s),
        "elapsed": str(build.seconds or 0),
        "tests_run": str(len(run)),
        "tests_failed": str(len(failed)),
        "result": build.result,
        "executor": build.node,
        "job": origin.job.full_name,
        "number": build.number,
    }


def _tests(cluster: Cluster) -> list[dict[str, object]]:
    """Return the tests with most failures first, their jobs with most builds first, builds newest first."""
    many = Counter(failure.test for failure in cluster.failures)
    builds: dict[str, dict[str, set[int]]] = {}
    for failure in cluster.failures:
        jobs = builds.setdefault(failure.test, {})
        jobs.setdefault(failure.origin.job.full_name, set()).add(int(failure.origin.build.number))
    return [
        {
            "name": test,
            "jobs": [
                {"name": job, "builds": sorted(numbers, reverse=True)}
                for job, numbers in sorted(builds[test].items(), key=lambda item: (-len(item[1]), item[0]))
            ],
        }
        for test, _ in sorted(many.items(), key=lambda item: (-item[1], item[0]))
    ]


def _columns(origins: Sequence[Origin]) -> dict[str, object]:
    """Return builds as columns; a job's numbers without a gap as ``[first, count, index]``, else number → index."""
    ordered = sorted(origins, key=lambda origin: (origin.job.full_name, int(origin.build.number)))
    rows = [_build(origin) for origin in ordered]
    jobs: dict[str, dict[int, int]] = {}
    paths: dict[str, str] = {}
    for index, row in enumerate(rows):
        jobs.setdefault(row["job"], {})[int(row["number"])] = index
        paths.setdefault(row["job"], row["path"].rpartition("/")[0])
    return {
        "jobs": {job: _condensed(numbers) for job, numbers in jobs.items()},
        "cols": {
            **{key: [int(row[key]) for row in rows] for key in ("started", "tests_failed", "elapsed", "tests_run")},
            **{key: [row[key] for row in rows] for key in ("result", "executor")},
            "pr": ["" for _ in rows],
        },
        "job_paths": paths,
    }


def _condensed(numbers: dict[int, int]) -> list[int] | dict[str, int]:
    first, base = next(iter(numbers.items()))
    if all(number - first == index - base for number, index in numbers.items()):
        return [first, len(numbers), base]
    return {str(number): index for number, index in numbers.items()}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
