"""Builds whose runner was lost: they began, their time is long over, and nobody ever said what they came to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2e.lifecycle.state import build_number
from upload.documents import LARGEST_DOCUMENT_BYTES, Finished, Started, parse_started
from upload.errors import Outcome, ResultsError
from upload.layout import ID_DIGITS, build_paths, job_folder
from upload.model import BuildRef
from upload.store.base import Store

if TYPE_CHECKING:
    from providers.config.model import JobConfig

LOOKED_AT_S = 30 * 24 * 3600  # builds that began before are history


@dataclass(frozen=True, slots=True)
class Orphan:
    """A build that nobody will finish. ``due_s``: UTC epoch when the last of its steps had to be over."""

    build: BuildRef
    started: Started
    due_s: int


def find_orphans(job: JobConfig, store: Store, *, now_s: int) -> Iterator[Orphan]:
    """Yield the periodic builds of a job that are past all their time, oldest first.

    One whose started.json cannot be read is somebody else's business. Raises: StoreError.
    """
    folder = job_folder(job.results.prefix, job.job)
    oldest = folder + build_number(now_s - LOOKED_AT_S)
    for entry in store.list(folder, delimiter="/", start_offset=oldest):
        number = entry.path.removeprefix(folder).rstrip("/")
        if entry.is_folder and number.isascii() and number.isdigit() and len(number) == ID_DIGITS:
            found = _orphan(BuildRef(job.results.prefix, job.job, number), job, store)
            if found is not None and found.due_s < now_s:
                yield found


def finish(orphan: Orphan, store: Store, *, now_s: int) -> None:
    """Say that a build was aborted. Raises: ResultsError, also when its runner was not lost and said something else."""
    from upload.plan import plan_build
    from upload.send import send

    due = dt.datetime.fromtimestamp(orphan.due_s, tz=dt.UTC)
    why = f"its runner was lost: nothing came by {due:%Y-%m-%dT%H:%M:%SZ}, when all its time was over"
    finished = Finished.from_outcome(Outcome.ABORTED, now_s, orphan.started.version, (("failure", why),))
    send(plan_build(orphan.build, {}, None, finished), store)


def _orphan(build: BuildRef, job: JobConfig, store: Store) -> Orphan | None:
    paths = build_paths(build)
    if store.stat(paths.finished) is not None:
        return None
    stored = store.read(paths.started, limit_bytes=LARGEST_DOCUMENT_BYTES)
    if stored is None:
        return None
    try:
        started = parse_started(stored.body)
    except ResultsError:
        return None
    times = job.defaults.timeouts
    # clean-up and publishing have time of their own when the total is over
    return Orphan(build, started, started.timestamp_s + times.total_s + times.dump_s + times.down_s + times.publish_s)
