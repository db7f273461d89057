"""One build of a bucket to what the warehouse makes of it: settled rows, a build that still runs, or one to be read again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from dashboard_feed.builds import DAY_S, number_s
from dashboard_feed.places import build_folder
from dashboard_feed.read import UNREADABLE, read_build
from dashboard_feed.warehouse.manifest import Again
from dashboard_feed.warehouse.tables import BuildRows, Origin, build_row, rows_of
from upload.errors import HarnessError, StoreError
from upload.layout import FINISHED
from upload.model import Finding

if TYPE_CHECKING:
    from dashboard_feed.buckets import BucketSpec
    from dashboard_feed.builds import Build
    from dashboard_feed.places import JobPlace
    from upload.store import Store

SETTLED_AFTER_S = 3 * DAY_S  # one that is not finished by then never will be
MOST_TRIES = 3


class Kind(Enum):
    """What became of a build."""

    SETTLED = "is written for good"
    RUNNING = "goes on"
    AGAIN = "could not be read this time"
    MISSING = "is none"


@dataclass(frozen=True, slots=True)
class Task:
    """One build to be read. ``again``: what is known of one that was read before, in vain or too early."""

    place: JobPlace
    number: str
    again: Again | None = None


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """What a task came to. ``rows`` of a settled build, ``row`` of ``builds`` of one that goes on. ``errors``: findings."""

    task: Task
    kind: Kind
    rows: BuildRows | None = None
    row: tuple[Any, ...] | None = None
    findings: tuple[Finding, ...] = field(default=())


def read_task(store: Store, spec: BucketSpec, task: Task, now_s: int) -> BuildOutcome:
    """Return what a build came to. Never raises for what the bucket holds or answers."""
    try:
        folder = build_folder(store, task.place, task.number)
        if _still_runs(store, folder, task.again, now_s):
            return BuildOutcome(task, Kind.RUNNING)
    except StoreError as error:
        return failed(task, str(error))
    except HarnessError as error:
        return BuildOutcome(task, Kind.MISSING, findings=(Finding("alias.link", task.place.folder, str(error)),))
    build = read_build(store, task.place.name, task.number, folder=folder)
    origin = Origin(spec, task.place.name, task.number, folder, now_s)
    if build.is_cut and _tries(task) < MOST_TRIES:
        return BuildOutcome(task, Kind.AGAIN, findings=build.findings)
    if not build.artifacts and all(finding.rule != UNREADABLE for finding in build.findings):
        return BuildOutcome(task, Kind.MISSING)
    if _may_go_on(build, task.again, now_s):
        return BuildOutcome(task, Kind.RUNNING, row=build_row(build, origin))
    return BuildOutcome(task, Kind.SETTLED, rows=rows_of(build, origin), findings=build.findings)


def failed(task: Task, what: str) -> BuildOutcome:
    """Return the outcome of a build that could not be read; in the end it is left out."""
    finding = Finding(UNREADABLE, f"{task.place.folder}{task.number}/", what)
    kind = Kind.AGAIN if _tries(task) < MOST_TRIES else Kind.MISSING
    return BuildOutcome(task, kind, findings=(finding,))


def again_of(outcome: BuildOutcome, now_s: int) -> Again | None:
    """Return what has to be remembered of a build, so that it is read again; None for one that is done with."""
    before = outcome.task.again or Again(now_s)
    if outcome.kind is Kind.RUNNING:
        return Again(before.since_s)
    return Again(before.since_s, before.tries + 1) if outcome.kind is Kind.AGAIN else None


def _tries(task: Task) -> int:
    return (task.again.tries if task.again else 0) + 1


def _still_runs(store: Store, folder: str, again: Again | None, now_s: int) -> bool:
    """Tell by one request whether a build that ran when it was read last goes on."""
    if again is None or again.tries or now_s - again.since_s >= SETTLED_AFTER_S:
        return False
    return store.stat(folder + FINISHED) is None


def _may_go_on(build: Build, again: Again | None, now_s: int) -> bool:
    if any(artifact.path == FINISHED for artifact in build.artifacts):
        return False
    told = build.at_s if build.at_s is not None else number_s(build.number)
    began_s = told if told is not None else again.since_s if again else now_s
    return now_s - began_s < SETTLED_AFTER_S
