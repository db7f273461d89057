"""What somebody has to hear of: tests that fail, with the commits between which that began, and jobs that went silent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dashboard_feed.builds import Bucket, Build, Job, number_s
from dashboard_feed.testgrid.alerts import AlertRule, RowAlert, alert_of
from dashboard_feed.testgrid.cells import Rows, make_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAME_CHARS = 500
_UNREADABLE = {"build.unreadable", "object.unreadable"}  # the store said no: such a build says nothing of its tests


class AlertKind(StrEnum):
    """FAILING: a row of TestGrid's grid fails. STALE: a job has had no build for too long."""

    FAILING = "failing"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Point:
    """One build, as what something began at. ``at_s``: its start, UTC epoch, None where unknown."""

    build: str
    version: str = ""
    commit: str = ""
    at_s: int | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One open alert.

    ``id`` is that of the same alert in every later reading: it depends on kind, bucket, job and test alone.
    ``job`` has the party's prefix; ``job_id`` tells jobs of all buckets apart. ``test``: the row's name, empty for a
    stale job. ``failures``: of this outage, as many as were read. ``first_bad``, ``latest_bad``, ``last_good``: its
    builds; of a stale job ``latest_bad`` is the newest build there is. ``message``: the newest failure's.
    """

    id: str
    kind: AlertKind
    job: str
    job_id: str
    bucket: str
    contact: str = ""
    test: str = ""
    failures: int = 0
    first_bad: Point | None = None
    latest_bad: Point | None = None
    last_good: Point | None = None
    message: str = ""

    @property
    def commits(self) -> str:
        """The range in which the first bad commit lies, ``good..bad``; ``..bad`` without a good one; empty: unknown."""
        bad = self.first_bad.commit if self.first_bad else ""
        good = self.last_good.commit if self.last_good else ""
        return f"{good}..{bad}" if bad else ""


@dataclass(frozen=True, slots=True)
class Watched:
    """All open alerts, by job and row, and the jobs that were looked at: only theirs can be said to be over."""

    alerts: tuple[Alert, ...]
    job_ids: frozenset[str]


def watch(
    buckets: Sequence[Bucket],
    rule: AlertRule,
    *,
    stale_after_s: int,
    now_s: int,
    made: Mapping[str, Rows] | None = None,
) -> Watched:
    """Return the alerts of everything that was read.

    A job of which nothing could be read is not looked at: silence of a bucket is a finding and closes nothing.
    ``made``: rows that were made of all builds of a job already, by its id.
    """
    made = made or {}
    jobs = [job for bucket in buckets for job in bucket.jobs if _is_read(bucket, job)]
    alerts = [
        alert
        for job in jobs
        for alert in _alerts(job, rule, made.get(job_id(job)), stale_after_s=stale_after_s, now_s=now_s)
    ]
    return Watched(tuple(alerts), frozenset(job_id(job) for job in jobs))


def job_id(job: Job) -> str:
    """Return what tells a job from those of all other buckets, also of ones that share a prefix."""
    return _digest(job.spec.uri, job.name)


def as_json(alert: Alert) -> dict[str, object]:
    """Return an alert as a JSON object, with its range of commits."""
    return {**asdict(alert), "kind": alert.kind.value, "commits": alert.commits}


def _is_read(bucket: Bucket, job: Job) -> bool:
    unreadable = {finding.object.partition("/")[0] for finding in bucket.findings if finding.rule == "job.unreadable"}
    return job.name not in unreadable


def _alerts(job: Job, rule: AlertRule, made: Rows | None, *, stale_after_s: int, now_s: int) -> Iterator[Alert]:
    times = [build.at_s if build.at_s is not None else number_s(build.number) for build in job.builds]
    newest_s = max((at_s for at_s in times if at_s is not None), default=None)
    builds = [build for build in job.builds if not _UNREADABLE & {finding.rule for finding in build.findings}]
    is_stale = newest_s is None or now_s - newest_s > stale_after_s
    if is_stale and (not job.builds or builds[:1] == list(job.builds[:1])):
        yield _alert(job, AlertKind.STALE, latest_bad=point_of(builds[0]) if builds else None)
    rows = made if made and len(builds) == len(job.builds) else make_rows(builds, now_s)
    for name, cells in rows.cells.items():
        if found := alert_of(cells, rule):
            yield _failing(job, rows, name, found)


def _failing(job: Job, rows: Rows, name: str, found: RowAlert) -> Alert:
    builds = [column.build for column in rows.columns]
    newest = rows.cells[name][found.latest_bad]
    return _alert(
        job,
        AlertKind.FAILING,
        test=name,
        failures=found.failures,
        first_bad=point_of(builds[found.first_bad]),
        latest_bad=point_of(builds[found.latest_bad]),
        last_good=point_of(builds[found.last_good]) if found.last_good is not None else None,
        message=newest.message if newest else "",
    )


def _alert(job: Job, kind: AlertKind, *, test: str = "", **facts: object) -> Alert:
    return Alert(
        _digest(kind.value, job.spec.uri, job.name, test),
        kind,
        job.full_name,
        job_id(job),
        job.spec.uri,
        job.spec.contact,
        test[:NAME_CHARS],
        **facts,  # type: ignore[arg-type]  # facts of Alert, spelled by the two callers
    )


def point_of(build: Build) -> Point:
    """Return what is told of a build as one at which something began or ended."""
    return Point(build.number, build.version[:NAME_CHARS], build.commit, build.at_s)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()[:16]
