"""Buckets to plain values: which jobs and builds there are, and the newest of them read. The simple way: all of it, each time."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from dashboard_feed.builds import DAY_S, Bucket, Build, Job
from dashboard_feed.read import read_build
from upload.errors import HarnessError
from upload.layout import as_integer, number_key
from upload.model import Finding, Severity
from upload.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dashboard_feed.buckets import BucketSpec
    from upload.store import Store

GRID_BUILDS = 30
DAY_BUILDS = 300
MOST_JOBS = 2_000
MOST_IDS = 100_000
READERS = 8
BUCKET_S = 900.0


def read_bucket(
    spec: BucketSpec,
    *,
    match: re.Pattern[str] | None,
    now_s: int,
    budget_s: float = BUCKET_S,
    clock: Callable[[], float] = time.monotonic,
) -> Bucket:
    """Return a bucket's jobs by name, each with its newest builds.

    Builds: the newest 30, and beyond them those that ended within the last 24 hours, 300 at most.
    ``match`` is searched in the full name, prefix included. A bucket that cannot be read is one finding; one that is
    slow is left after ``budget_s``, with what was read so far.
    """
    until = clock() + budget_s
    reader = _BucketReader(spec, now_s, lambda: clock() > until)
    try:
        reader.read(open_store(spec.uri, anonymous_too=True), match)
    except Exception as error:  # noqa: BLE001  # one bucket must not stop the others, whatever it answers
        what = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        reader.note("bucket.unreadable", "", what)
    return Bucket(spec, tuple(reader.jobs), tuple(reader.findings))


class _BucketReader:
    """Gathers the jobs and findings of one bucket; what was gathered stays when reading stops."""

    def __init__(self, spec: BucketSpec, now_s: int, is_late: Callable[[], bool]) -> None:
        self.spec = spec
        self.now_s = now_s
        self.is_late = is_late
        self.jobs: list[Job] = []
        self.findings: list[Finding] = []

    def note(self, rule: str, place: str, what: str, severity: Severity = Severity.ERROR) -> None:
        self.findings.append(Finding(rule, place, what, severity=severity))

    def read(self, store: Store, match: re.Pattern[str] | None) -> None:
        for name in self.job_names(store):
            if self.spec.excludes(name) or (match and not match.search(self.spec.prefix + name)):
                continue
            if self.is_late():
                self.note("bucket.slow", f"{name}/", "the bucket is too slow; this job and what follows was not read")
                return
            try:
                builds = self.newest_builds(store, name, self.numbers(store, name))
            except HarnessError as error:
                self.note("job.unreadable", f"{name}/", str(error))
                builds = ()
            self.jobs.append(Job(self.spec, name, builds))

    def job_names(self, store: Store) -> list[str]:
        names = list(islice(_folders(store, ""), MOST_JOBS + 1))
        if len(names) > MOST_JOBS:
            self.note("bucket.jobs", "", f"more than {MOST_JOBS} jobs; the rest is not read")
        if not names:
            self.note("bucket.empty", "", "no job was found here", Severity.WARNING)
        return sorted(names[:MOST_JOBS])

    def numbers(self, store: Store, job: str) -> list[str]:
        """Return a job's build ids, newest first. Ids that are no integers come last, and break other readers."""
        numbers = list(islice(_folders(store, f"{job}/"), MOST_IDS + 1))
        if len(numbers) > MOST_IDS:
            self.note("job.builds", f"{job}/", f"more than {MOST_IDS} builds; newer ones may not be read")
        if odd := sorted(number for number in numbers if as_integer(number) is None):
            what = f"build ids that are no integers: {', '.join(odd[:5])[:200]}; use YYYYMMDDHHMMSS"
            readers = ("test-history", "gubernator", "kettle", "triage")
            self.findings.append(Finding("build.id", f"{job}/", what, readers))
        return sorted(numbers[:MOST_IDS], key=number_key, reverse=True)

    def newest_builds(self, store: Store, job: str, numbers: list[str]) -> tuple[Build, ...]:
        """Read builds, newest first, in chunks: the first always, the next while builds are still of the last day."""
        builds: list[Build] = []
        with ThreadPoolExecutor(max_workers=READERS) as pool:
            for start in range(0, min(len(numbers), DAY_BUILDS), GRID_BUILDS):
                if builds and self.is_late():
                    self.note("bucket.slow", f"{job}/", "the bucket is too slow; older builds were not read")
                    break
                chunk = list(pool.map(lambda n: read_build(store, job, n), numbers[start : start + GRID_BUILDS]))
                builds += chunk
                if not any(b.finished_s is not None and self.now_s - b.finished_s <= DAY_S for b in chunk[-3:]):
                    break
        return tuple(builds)


def _folders(store: Store, prefix: str) -> Iterator[str]:
    for entry in store.list(prefix, delimiter="/"):
        if entry.is_folder:
            name = entry.path.removeprefix(prefix).rstrip("/")
            if name and "/" not in name and name not in (".", ".."):
                yield name
