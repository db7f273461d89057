"""Buckets to plain values: which jobs and builds there are, and the newest of them read. The simple way: all of it, each time."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from dashboard_feed.builds import DAY_S, Bucket, Build, Job, order
from dashboard_feed.read import read_build
from upload.errors import HarnessError
from upload.model import Finding, Severity
from upload.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dashboard_feed.buckets import BucketSpec
    from upload.store import Store

GRID_BUILDS = 30
DAY_BUILDS = 300
MOST_JOBS = 2_000
MOST_IDS = 100_000
READERS = 8


def read_bucket(spec: BucketSpec, *, match: re.Pattern[str] | None, now_s: int) -> Bucket:
    """Return a bucket's jobs by name, each with its newest builds.

    Builds: the newest 30, and beyond them those that ended within the last 24 hours, 300 at most.
    ``match`` is searched in the full name, prefix included. A bucket that cannot be read is one finding.
    """
    findings: list[Finding] = []
    jobs: list[Job] = []
    try:
        store = open_store(spec.uri, anonymous_too=True)
        for name in _job_names(store, findings):
            if spec.excludes(name) or (match and not match.search(spec.prefix + name)):
                continue
            jobs.append(_read_job(store, spec, name, findings=findings, now_s=now_s))
    except Exception as error:  # noqa: BLE001  # one bucket must not stop the others, whatever it answers
        what = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        findings.append(Finding("bucket.unreadable", spec.uri, what))
    return Bucket(spec, tuple(jobs), tuple(findings))


def _read_job(store: Store, spec: BucketSpec, name: str, *, findings: list[Finding], now_s: int) -> Job:
    try:
        numbers = _numbers(store, name, findings)
        return Job(spec, name, _newest_builds(numbers, lambda number: read_build(store, name, number), now_s))
    except HarnessError as error:
        findings.append(Finding("job.unreadable", f"{name}/", str(error)))
        return Job(spec, name, ())


def _job_names(store: Store, findings: list[Finding]) -> list[str]:
    names = list(islice(_folders(store, ""), MOST_JOBS + 1))
    if len(names) > MOST_JOBS:
        findings.append(Finding("bucket.jobs", "", f"more than {MOST_JOBS} jobs; the rest is not read"))
    if not names:
        findings.append(Finding("bucket.empty", "", "no job was found here", severity=Severity.WARNING))
    return sorted(names[:MOST_JOBS])


def _numbers(store: Store, job: str, findings: list[Finding]) -> list[str]:
    """Return a job's build ids, newest first. Ids that are no integers come last, and break other readers."""
    numbers = list(islice(_folders(store, f"{job}/"), MOST_IDS + 1))
    if len(numbers) > MOST_IDS:
        findings.append(Finding("job.builds", f"{job}/", f"more than {MOST_IDS} builds; newer ones may not be read"))
    odd = sorted(number for number in numbers if not order(number)[0])
    if odd:
        what = f"build ids that are no integers: {', '.join(odd[:5])[:200]}; use YYYYMMDDHHMMSS"
        findings.append(Finding("build.id", f"{job}/", what, ("test-history", "gubernator", "kettle", "triage")))
    return sorted(numbers[:MOST_IDS], key=order, reverse=True)


def _folders(store: Store, prefix: str) -> Iterator[str]:
    for entry in store.list(prefix, delimiter="/"):
        if entry.is_folder:
            name = entry.path.removeprefix(prefix).rstrip("/")
            if name and "/" not in name and name not in (".", ".."):
                yield name


def _newest_builds(numbers: Sequence[str], read: Callable[[str], Build], now_s: int) -> tuple[Build, ...]:
    """Read builds, newest first, in chunks: the first always, the next while builds are still of the last day."""
    builds: list[Build] = []
    with ThreadPoolExecutor(max_workers=READERS) as pool:
        for start in range(0, min(len(numbers), DAY_BUILDS), GRID_BUILDS):
            chunk = list(pool.map(read, numbers[start : start + GRID_BUILDS]))
            builds += chunk
            if not any(b.finished_s is not None and now_s - b.finished_s <= DAY_S for b in chunk[-3:]):
                break
    return tuple(builds)
