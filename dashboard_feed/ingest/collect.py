"""Collect: every bucket of a federation into one warehouse, several at once, committed as it comes.

What was committed is never read again; what was not, by a collector that was killed, is read again by the next one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from dashboard_feed.beside import each_within
from dashboard_feed.ingest.bucket import BucketReport, Delivery, Options, collect_bucket
from dashboard_feed.warehouse.lease import held
from dashboard_feed.warehouse.manifest import BucketState
from dashboard_feed.warehouse.tables import finding_row, place_keys, require_arrow
from dashboard_feed.warehouse.writer import Writer
from upload.errors import ResultsError, UsageError
from upload.model import Finding, Severity
from upload.store import ClearableStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from dashboard_feed.buckets import BucketSpec
    from upload.store import Store

BUCKETS_AT_ONCE = 4
COMMIT_S = 120.0
FIRST_PAUSE_S = 300
LONGEST_PAUSE_S = 6 * 3_600
LASTING = ("build.id", "job.builds")  # seen only where all ids of a job are listed


@dataclass(frozen=True, slots=True)
class CollectReport:
    """What a collect did. ``builds``, ``cases`` and ``days`` are those of the whole warehouse afterwards."""

    buckets: tuple[BucketReport, ...]
    commits: int
    builds: int
    cases: int
    days: int
    compacted: int
    expired: int

    @property
    def has_errors(self) -> bool:
        """Tell whether something was read that breaks a reader, or could not be read."""
        return any(
            bucket.errors or bucket.skipped or any(f.severity is Severity.ERROR for _, f in bucket.notes)
            for bucket in self.buckets
        )


def collect(
    specs: Sequence[BucketSpec],
    store: Store,
    options: Options,
    *,
    holder: str,
    clock: Callable[[], float] = time.monotonic,
) -> CollectReport:
    """Read what is new in every bucket into the warehouse in ``store``.

    ``holder``: who collects, for whoever is refused meanwhile. A bucket that fails is left alone for a while: five
    minutes, doubled with each failure in a row, six hours at the most.
    Raises: LeaseTaken when somebody else collects; ResultsError when the warehouse cannot be written; MissingExtra.
    """
    require_arrow()
    if not isinstance(store, ClearableStore):
        raise UsageError(f"{store.uri}: no warehouse can be kept there")
    with held(store, holder) as lease:
        writer = Writer(store, lease)
        intake = _Intake(writer, options, clock)
        try:
            reports = each_within(
                specs,
                lambda spec: intake.collect(spec, min(len(specs), BUCKETS_AT_ONCE)),
                at_once=BUCKETS_AT_ONCE,
                seconds=options.bucket_s + options.grace_s,
                late=intake.late,
            )
        finally:  # also when somebody stops it: what was read is kept
            intake.commit()
        compacted = writer.compact(options.now_s)
        expired = writer.retain(options.keep_days, options.now_s) if options.keep_days else 0
        writer.clean(options.now_s)
        manifest = writer.manifest
    rows = manifest.rows("builds"), manifest.rows("cases"), len(manifest.files)
    return CollectReport(reports, intake.commits, *rows, compacted, expired)


class _Intake:
    """Takes what the buckets' threads deliver, one at a time, and commits when there is enough of it."""

    def __init__(self, writer: Writer, options: Options, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._options = options
        self._clock = clock
        self._lock = Lock()
        self._states: dict[str, BucketState] = dict(writer.manifest.buckets)
        self._closed: set[str] = set()
        self._is_changed = False
        self._committed = clock()
        self.commits = 0

    def collect(self, spec: BucketSpec, at_once: int) -> BucketReport:
        """Read one bucket, unless it failed lately."""
        state = self._states.get(spec.uri, BucketState())
        now_s = self._options.now_s
        if state.retry_s > now_s and not self._options.retry:
            what = (
                f"left alone for {state.retry_s - now_s} s more, after {state.failures} failures in a row: {state.why}"
            )
            return BucketReport(spec, skipped=what)
        options = replace(self._options, threads=max(1, self._options.threads // at_once))
        report = collect_bucket(spec, state, lambda delivery: self._take(spec.uri, delivery), options)
        self._close(report)
        return report

    def late(self, spec: BucketSpec) -> BucketReport:
        """Give up on a bucket whose threads do not come back."""
        seconds = self._options.bucket_s + self._options.grace_s
        report = BucketReport(spec, failure=f"it did not come back within {seconds:g} s")
        report.notes.append(("", Finding("bucket.slow", "", report.failure)))
        self._close(report)
        return report

    def commit(self) -> None:
        """Commit what there is, if anything has changed."""
        with self._lock:
            self._commit()

    def _commit(self) -> None:
        if self._is_changed:
            self._writer.commit(self._states, self._options.now_s)
            self.commits += 1
        self._is_changed = False
        self._committed = self._clock()

    def _take(self, uri: str, delivery: Delivery) -> None:
        with self._lock:
            if uri in self._closed:
                raise ResultsError(f"{uri}: came too late")
            for rows in delivery.settled:
                self._writer.gather(rows)
            for key in delivery.ended:
                self._writer.running.pop(key, None)
            self._writer.running.update(delivery.running)
            state = self._states.get(uri, BucketState())
            new = replace(state, places={**state.places, **delivery.places})
            self._is_changed |= new != state or bool(delivery.settled or delivery.running)
            self._states[uri] = new
            if self._writer.gathered_bytes > self._options.commit_bytes or self._clock() - self._committed > COMMIT_S:
                self._commit()

    def _close(self, report: BucketReport) -> None:
        """Note how a bucket came out, and that nothing more is taken of it."""
        with self._lock:
            uri, now_s = report.spec.uri, self._options.now_s
            self._closed.add(uri)
            state = self._states.get(uri, BucketState())
            failures = state.failures + 1 if report.failure else 0
            pause_s = min(FIRST_PAUSE_S << min(failures - 1, 16), LONGEST_PAUSE_S) if failures else 0
            new = replace(
                state, failures=failures, retry_s=now_s + pause_s if failures else 0, why=report.failure[:500]
            )
            self._is_changed |= new != state
            self._states[uri] = new
            self._note(report)

    def _note(self, report: BucketReport) -> None:
        """Keep what is wrong with the bucket and its jobs; what was known keeps the moment when it was first seen."""
        uri = report.spec.uri
        old = {key: rows for key, rows in self._writer.notes.items() if key[0] == uri}
        known = {_what(row): row for rows in old.values() for row in rows}
        new: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        for key, rows in old.items():
            if key[1] not in report.listed and (lasting := [row for row in rows if row[6] in LASTING]):
                new[key] = lasting
        for job, finding in report.notes:
            row = finding_row(place_keys(report.spec, job, self._options.now_s), finding, self._options.now_s)
            new.setdefault((uri, job), []).append(known.get(_what(row), row))
        if old != new:
            self._is_changed = True
            for key in old:
                del self._writer.notes[key]
            self._writer.notes.update(new)


def _what(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what tells one finding from another: all but when it was seen."""
    return (row[3], *row[6:10])
