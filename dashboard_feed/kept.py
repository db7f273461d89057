"""Buckets as a warehouse keeps them: the same values as ``collect`` reads from the buckets themselves, from rows alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from dashboard_feed.builds import DAY_S, Artifact, Bucket, Build, Job
from dashboard_feed.collect import DAY_BUILDS, GRID_BUILDS
from dashboard_feed.warehouse.query import opened
from upload.layout import number_key
from upload.model import Case, Finding, Severity, Status

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Sequence

    import duckdb

    from dashboard_feed.buckets import BucketSpec
    from upload.store import Store

# The newest builds of each job by the number of their ids; builds of pull requests have pages of their own nowhere.
_WANTED = """
CREATE TEMP TABLE wanted AS
SELECT build FROM builds WHERE bucket = $bucket AND pull = '' AND list_contains($jobs, job)
WINDOW newest AS (PARTITION BY job ORDER BY try_cast(number AS HUGEINT) DESC NULLS LAST, number DESC)
QUALIFY row_number() OVER newest <= $few OR (row_number() OVER newest <= $many AND finished_s >= $since)
"""
_BUILDS = """
SELECT job, number, build, started_s, finished_s, is_finished, passed, result, version, "commit", node, metadata,
       log_tail, finished_version, repo_commit, repos
FROM builds SEMI JOIN wanted USING (build)
"""
_CASES = """
SELECT build, name, status, seconds, text, classname, suite, source, is_step, is_nested
FROM cases SEMI JOIN wanted USING (build) ORDER BY build, position
"""
_FINDINGS = """
SELECT build, rule, object, what, readers, severity FROM findings SEMI JOIN wanted USING (build) ORDER BY build
"""
_OBJECTS = """
SELECT build, path, size_bytes FROM objects SEMI JOIN wanted USING (build) ORDER BY build, path
"""
_OF_PLACES = """
SELECT rule, object, what, readers, severity FROM findings WHERE bucket = $bucket AND build = '' ORDER BY ALL
"""


def read_kept(
    store: Store, specs: Sequence[BucketSpec], *, match: re.Pattern[str] | None, now_s: int
) -> tuple[Bucket, ...]:
    """Return what a warehouse holds of buckets: of each job the builds that ``collect.read_bucket`` reads.

    The memory grows with jobs, not with history. Raises: ResultsError when there is no warehouse.
    """
    with opened(store) as connection:
        return tuple(_bucket(connection, spec, match, now_s) for spec in specs)


def _bucket(
    connection: duckdb.DuckDBPyConnection, spec: BucketSpec, match: re.Pattern[str] | None, now_s: int
) -> Bucket:
    found = connection.execute(
        "SELECT DISTINCT job FROM builds WHERE bucket = $bucket", {"bucket": spec.uri}
    ).fetchall()
    jobs = sorted(job for (job,) in found if not spec.excludes(job) and (not match or match.search(spec.prefix + job)))
    limits = {"few": GRID_BUILDS, "many": DAY_BUILDS, "since": now_s - DAY_S}
    connection.execute("DROP TABLE IF EXISTS wanted")
    connection.execute(_WANTED, {"bucket": spec.uri, "jobs": jobs, **limits})
    cases = dict(_by_build(connection, _CASES))
    findings = dict(_by_build(connection, _FINDINGS))
    objects = dict(_by_build(connection, _OBJECTS))
    by_job: dict[str, list[Build]] = {job: [] for job in jobs}
    for job, number, build, *facts in connection.execute(_BUILDS).fetchall():
        read = _build(job, number, facts)
        by_job[job].append(
            replace(
                read,
                **_cases(cases.get(build, [])),
                findings=tuple(_finding(row) for row in findings.get(build, [])),
                artifacts=tuple(Artifact(*row) for row in objects.get(build, [])),
            )
        )
    places = connection.execute(_OF_PLACES, {"bucket": spec.uri}).fetchall()
    return Bucket(
        spec,
        tuple(
            Job(spec, job, tuple(sorted(many, key=lambda build: number_key(build.number), reverse=True)))
            for job, many in by_job.items()
            if many
        ),
        tuple(_finding(row) for row in places),
    )


def _by_build(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Yield the rows of each build without its key."""
    rows = connection.execute(sql).fetchall()
    for build, many in groupby(rows, key=itemgetter(0)):
        yield build, [row[1:] for row in many]


def _build(job: str, number: str, facts: Sequence[Any]) -> Build:
    started_s, finished_s, is_finished, passed, result, version, commit, node, metadata, log_tail, *kettle = facts
    finished_version, repo_commit, repos = kettle
    return Build(
        job,
        number,
        started_s,
        finished_s,
        is_finished=is_finished,
        passed=passed,
        result=result,
        version=version,
        commit=commit,
        node=node,
        metadata=tuple((metadata or {}).items()),
        log_tail=log_tail,
        finished_version=finished_version,
        repo_commit=repo_commit,
        repos=repos,
    )


def _cases(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    cases: list[Case] = []
    steps: list[Case] = []
    nested: dict[str, None] = {}
    for name, status, seconds, text, classname, suite, source, is_step, is_nested in rows:
        case = Case(
            name=name,
            status=Status(status),
            seconds=seconds,
            text=text,
            classname=classname,
            suite=suite,
            source=source,
        )
        (steps if is_step else cases).append(case)
        if is_nested:
            nested[source] = None
    return {"cases": tuple(cases), "steps": tuple(steps), "nested": tuple(nested)}


def _finding(row: tuple[Any, ...]) -> Finding:
    rule, place, what, readers, severity = row
    return Finding(rule, place, what, tuple(readers or ()), severity=Severity(severity))
