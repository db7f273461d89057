"""Everything that is new in one bucket: first which builds, of all jobs beside each other, then these, oldest first."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dashboard_feed.beside import each_within
from dashboard_feed.builds import DAY_S
from dashboard_feed.ingest.metered import MeteredStore
from dashboard_feed.ingest.news import Wanted, find_news
from dashboard_feed.ingest.outcome import BuildOutcome, Kind, Task, again_of, failed, read_task
from dashboard_feed.places import find_places
from dashboard_feed.warehouse.manifest import BucketState, PlaceState
from upload.errors import HarnessError, ResultsError
from upload.model import Finding, Severity
from upload.store import Patience, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_feed.buckets import BucketSpec
    from dashboard_feed.places import JobPlace
    from dashboard_feed.warehouse.tables import BuildRows
    from dashboard_feed.warehouse.writer import BuildKey

MOST_PLACES = 20_000
CHUNK = 64
FEW = 8  # builds that cannot be read say nothing yet about their bucket
BUILD_S = 600.0
OBJECT_S = 120.0
PATIENCE = Patience(operation_s=20.0, request_s=20.0, connect_s=10.0)


@dataclass(frozen=True, slots=True)
class Options:
    """How to collect. ``history``: builds of a job that is new; ``keep_days``: 0 keeps all; ``bucket_s``: seconds for a bucket.

    ``threads``: read so many objects at once. ``retry``: also buckets that failed lately.
    ``commit_bytes``: so much is gathered in memory before it is committed. ``grace_s``: what a bucket's last reads and the commit
    may take beyond its time.
    """

    now_s: int
    match: re.Pattern[str] | None = None
    history: int = 1_000
    keep_days: int = 400
    threads: int = 16
    bucket_s: float = 900.0
    retry: bool = False
    commit_bytes: int = 96 << 20
    grace_s: float = 30.0


@dataclass(slots=True)
class Delivery:
    """What one part of a bucket came to, to be committed together: rows, and how far each place was read."""

    settled: list[BuildRows] = field(default_factory=list)
    running: dict[BuildKey, tuple[Any, ...]] = field(default_factory=dict)
    ended: list[BuildKey] = field(default_factory=list)
    places: dict[str, PlaceState] = field(default_factory=dict)


@dataclass(slots=True)
class BucketReport:
    """What was read of a bucket, what was left out, and why. ``notes``: (job, finding) about the bucket and its jobs.

    ``errors`` and ``warnings``: findings in the builds that were read. ``listed``: jobs of which all ids were listed.
    """

    spec: BucketSpec
    jobs: int = 0
    settled: int = 0
    running: int = 0
    again: int = 0
    older: int = 0
    excluded: int = 0
    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0
    skipped: str = ""
    failure: str = ""
    notes: list[tuple[str, Finding]] = field(default_factory=list)
    errors: int = 0
    warnings: int = 0
    listed: set[str] = field(default_factory=set)


def collect_bucket(
    spec: BucketSpec,
    state: BucketState,
    deliver: Callable[[Delivery], None],
    options: Options,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> BucketReport:
    """Read what is new and deliver it part by part. Never raises for what the bucket holds or answers.

    Errors of ``deliver`` are raised: they are those of the warehouse.
    """
    began = clock()
    collector = _Collector(spec, state, options, clock)
    try:
        collector.collect(deliver)
    except _DeliveryError as error:
        raise error.cause from None
    except Exception as error:  # noqa: BLE001  # one bucket must not stop the others, whatever it answers
        told = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        collector.fail("bucket.unreadable", told)
    report = collector.report
    if collector.store is not None:
        report.requests, report.bytes = collector.store.meter.requests, collector.store.meter.bytes
    report.seconds = clock() - began
    return report


class _DeliveryError(Exception):
    """Carries an error of the warehouse past what catches those of the bucket."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Collector:
    def __init__(self, spec: BucketSpec, state: BucketState, options: Options, clock: Callable[[], float]) -> None:
        self.spec = spec
        self.options = options
        self.until = clock() + options.bucket_s
        self.clock = clock
        self.places = dict(state.places)
        self.report = BucketReport(spec)
        self.store: MeteredStore | None = None

    def note(self, rule: str, job: str, place: str, what: str, severity: Severity = Severity.ERROR) -> None:
        self.report.notes.append((job, Finding(rule, place, what, severity=severity)))

    def fail(self, rule: str, what: str) -> None:
        self.report.failure = what
        self.note(rule, "", "", what)

    def collect(self, deliver: Callable[[Delivery], None]) -> None:
        patience = replace(PATIENCE, remaining_s=lambda: self.until - self.clock())
        inner = open_store(self.spec.uri, anonymous_too=True, patience=patience)
        self.store = store = MeteredStore(inner, object_s=OBJECT_S, until=self.until, clock=self.clock)
        tasks = self.tasks(store, self.wanted_places(store))
        for start in range(0, len(tasks), CHUNK):
            if store.is_late:
                self.fail(
                    "bucket.slow", f"the bucket is too slow: {len(tasks) - start} builds are left for the next time"
                )
                return
            outcomes = self.read(store, tasks[start : start + CHUNK])
            self.hand_over(self.delivery(outcomes), deliver)
            if len(outcomes) >= FEW and all(outcome.kind is Kind.AGAIN for outcome in outcomes):
                raise ResultsError(f"no build can be read, such as: {outcomes[0].findings[0].what}")
        self.hand_over(Delivery(places=self.places), deliver)

    def hand_over(self, delivery: Delivery, deliver: Callable[[Delivery], None]) -> None:
        try:
            deliver(delivery)
        except Exception as error:
            raise _DeliveryError(error) from error

    def wanted_places(self, store: MeteredStore) -> list[JobPlace]:
        found = list(find_places(store, MOST_PLACES + 1))
        if len(found) > MOST_PLACES:
            self.note("bucket.jobs", "", "", f"more than {MOST_PLACES} jobs; the rest is not read")
        if not found:
            self.note("bucket.empty", "", "", "no job was found here", Severity.WARNING)
        wanted = [place for place in found[:MOST_PLACES] if self.is_wanted(place.name)]
        self.report.jobs = len({place.name for place in wanted})
        self.report.excluded = len({place.name for place in found}) - self.report.jobs
        return wanted

    def is_wanted(self, job: str) -> bool:
        match = self.options.match
        return not self.spec.excludes(job) and (match is None or bool(match.search(self.spec.prefix + job)))

    def tasks(self, store: MeteredStore, places: Sequence[JobPlace]) -> list[Task]:
        """Return all builds to be read, those that are read again first, then those of each job, oldest first."""
        keep_s = self.options.keep_days * DAY_S
        wanted = Wanted(
            self.options.now_s,
            self.options.history,
            oldest_s=self.options.now_s - keep_s if keep_s else 0,
            counts=self.spec.sequential,
        )

        older: dict[str, int] = {}

        def news(place: JobPlace) -> list[Task]:
            known = self.places.get(place.folder, PlaceState())
            try:
                found = find_news(store, place, known, wanted)
            except HarnessError as error:
                self.note("job.unreadable", place.name, place.folder, str(error))
                return []
            self.places[place.folder] = found.known
            older[place.folder] = found.older
            if found.is_whole:
                self.report.listed.add(place.name)
            if found.odd:
                what = f"build ids that are no integers are not read: {', '.join(found.odd)[:200]}; use YYYYMMDDHHMMSS"
                self.note("build.id", place.name, place.folder, what)
            if found.is_cut:
                self.note("job.builds", place.name, place.folder, "too many builds; newer ones may not be read")
            again = [Task(place, number, state) for number, state in known.again.items()]
            return again + [Task(place, number) for number in found.numbers]

        seconds = max(0.0, self.until - self.clock())
        found = each_within(places, news, at_once=self.options.threads, seconds=seconds, late=lambda _: [])
        self.report.older = sum(older.values())
        self.report.notes.sort(key=lambda note: (note[0], note[1].rule))  # threads found them
        return [task for tasks in found for task in tasks]

    def read(self, store: MeteredStore, tasks: Sequence[Task]) -> tuple[BuildOutcome, ...]:
        return each_within(
            tasks,
            lambda task: read_task(store, self.spec, task, self.options.now_s),
            at_once=self.options.threads,
            seconds=BUILD_S,
            late=lambda task: failed(task, f"it could not be read within {BUILD_S:g} s"),
        )

    def delivery(self, outcomes: Sequence[BuildOutcome]) -> Delivery:
        """Return the outcomes of one part with the places moved on as far as they were read."""
        delivery = Delivery()
        for outcome in outcomes:
            task = outcome.task
            known = self.places[task.place.folder]
            again = {n: state for n, state in known.again.items() if n != task.number}
            if state := again_of(outcome, self.options.now_s):
                again[task.number] = state
            newest = known.newest if task.again else task.number
            self.places[task.place.folder] = replace(known, newest=newest, again=again)
            delivery.places[task.place.folder] = self.places[task.place.folder]
            self.count(outcome, delivery)
        return delivery

    def count(self, outcome: BuildOutcome, delivery: Delivery) -> None:
        key = (self.spec.uri, outcome.task.place.name, outcome.task.number)
        self.report.settled += outcome.kind is Kind.SETTLED
        self.report.running += outcome.kind is Kind.RUNNING
        self.report.again += outcome.kind is Kind.AGAIN
        if outcome.rows is not None:
            delivery.settled.append(outcome.rows)
        if outcome.row is not None:
            delivery.running[key] = outcome.row
        if outcome.kind in (Kind.SETTLED, Kind.MISSING):
            delivery.ended.append(key)
        if outcome.kind in (Kind.AGAIN, Kind.MISSING):
            self.report.notes += [(outcome.task.place.name, finding) for finding in outcome.findings[:1]]
            return
        self.report.errors += sum(f.severity is Severity.ERROR for f in outcome.findings)
        self.report.warnings += sum(f.severity is Severity.WARNING for f in outcome.findings)
