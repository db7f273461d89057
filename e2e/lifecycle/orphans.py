"""Builds whose runner was lost: they began, their time is long over, and nobody ever said what they came to."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2e.lifecycle.state import build_number
from upload.documents import LARGEST_DOCUMENT_BYTES, Finished, Started, parse_started
from upload.errors import Outcome, ResultsError
from upload.layout import (
    ID_DIGITS,
    LATEST_BUILD,
    PULLS,
    alias_path,
    build_paths,
    check_prefix,
    job_folder,
    number_key,
    sort_numbers,
)
from upload.model import BuildRef
from upload.store.base import Store

if TYPE_CHECKING:
    from providers.config.model import JobConfig

LOOKED_AT_S = 30 * 24 * 3600  # builds that began before are history
LOOKED_AT = 200  # newest builds of a job whose ids are no times
LARGEST_ID_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Orphan:
    """A build that nobody will finish. ``due_s``: UTC epoch when the last of its steps had to be over."""

    build: BuildRef
    started: Started
    due_s: int


def find_orphans(job: JobConfig, store: Store, *, now_s: int) -> Iterator[Orphan]:
    """Yield the builds of a job that are past all their time, oldest first: periodic ones, then those of pull requests.

    One whose started.json cannot be read is somebody else's business. Raises: StoreError.
    """
    for build in (*_periodic(job, store, now_s), *_of_pulls(job, store, now_s)):
        found = _orphan(build, job, store)
        if found is not None and now_s - LOOKED_AT_S < found.started.timestamp_s and found.due_s < now_s:
            yield found


def _periodic(job: JobConfig, store: Store, now_s: int) -> Iterator[BuildRef]:
    """Yield the builds that may be orphans: by their ids where these are times, else the newest ones."""
    folder = job_folder(job.results.prefix, job.job)
    latest = store.read(f"{folder}{LATEST_BUILD}", limit_bytes=LARGEST_ID_BYTES)
    are_times = latest is None or len(latest.body.strip()) == ID_DIGITS
    offset = build_number(now_s - LOOKED_AT_S) if are_times else ""
    entries = store.list(folder, delimiter="/", start_offset=folder + offset)
    names = (entry.path.removeprefix(folder).rstrip("/") for entry in entries if entry.is_folder)
    numbers = (name for name in names if name.isascii() and name.isdigit())
    if are_times:
        found = [number for number in numbers if len(number) == ID_DIGITS]
    else:
        found = sort_numbers(heapq.nlargest(LOOKED_AT, numbers, key=number_key))
    yield from (BuildRef(job.results.prefix, job.job, number) for number in found)


def _of_pulls(job: JobConfig, store: Store, now_s: int) -> Iterator[BuildRef]:
    """Yield the builds of pull requests that their aliases name, where these are in this store. Their ids are times."""
    folder = alias_path(job.job, "").removesuffix(".txt")
    for entry in store.list(folder, start_offset=folder + build_number(now_s - LOOKED_AT_S)):
        number = entry.path.removeprefix(folder).removesuffix(".txt")
        if not (number.isascii() and number.isdigit() and len(number) == ID_DIGITS):
            continue
        alias = store.read(entry.path, limit_bytes=LARGEST_DOCUMENT_BYTES)
        target = alias.body.decode("utf-8", "replace").strip() if alias else ""
        prefix = target.removeprefix(f"{store.uri}/").removesuffix(f"/{job.job}/{number}")
        if (
            target == f"{store.uri}/{prefix}/{job.job}/{number}"
            and prefix.startswith(PULLS)
            and not check_prefix(prefix)
        ):
            yield BuildRef(prefix, job.job, number)


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
