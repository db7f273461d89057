"""Every failure of every bucket as one plain value, bounded for each bucket so that none crowds the others out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed.builds import TEST_STEP, Bucket, Build, Job, step_name
from upload.layout import as_integer
from upload.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_OF_BUCKET = 50_000
MOST_TEXT_OF_BUCKET = 64 << 20
"""Characters."""
PLATFORM_CHARS = 60
LARGEST_NUMBER = 2**53
"""Build ids from here on are rounded by triage's page, and its programs take none that is much larger."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The build that a failure is from. ``path``: its folder's address; ``job``: with the party's prefix.

    ``platform``: metadata ``provider``, else the party, as a bucket names it. ``started_s``: UTC epoch, 0 unknown.
    """

    job: Job
    build: Build

    @property
    def path(self) -> str:
        """The folder of the build, without a ``/`` at its end."""
        return f"{self.job.spec.uri}{self.job.name}/{self.build.number}"

    @property
    def platform(self) -> str:
        """Where the cluster ran: the provider, else the party."""
        return dict(self.build.metadata).get("provider", "")[:PLATFORM_CHARS] or self.job.spec.party

    @property
    def started_s(self) -> int:
        """When the build was, 0 where nobody knows."""
        return self.build.at_s or 0


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt of a test or a step."""

    origin: Origin
    test: str
    text: str


def origins(buckets: Sequence[Bucket]) -> Iterator[Origin]:
    """Yield every build that triage takes: with a start and an integer for an id."""
    for bucket in buckets:
        for job in bucket.jobs:
            for build in job.builds:
                number = as_integer(build.number)
                if build.started_s is not None and number is not None and 0 < number < LARGEST_NUMBER:
                    yield Origin(job, build)


def failures(buckets: Sequence[Bucket]) -> list[Failure]:
    """Return the failures of all buckets, the oldest build first.

    The step Test is left out: it repeats what its tests say. Of each bucket the newest 50,000 at most.
    """
    found: list[Failure] = []
    for bucket in buckets:
        of_bucket: list[Failure] = []
        size = 0
        builds = sorted(origins([bucket]), key=lambda origin: (-origin.started_s, origin.path))
        for failure in (failure for origin in builds for failure in _of_build(origin)):
            size += len(failure.text)
            if len(of_bucket) == MOST_OF_BUCKET or size > MOST_TEXT_OF_BUCKET:
                break
            of_bucket.append(failure)
        found += of_bucket
    return sorted(found, key=lambda failure: (failure.origin.started_s, failure.origin.path, failure.test))


def _of_build(origin: Origin) -> Iterator[Failure]:
    build = origin.build
    for case in (*build.cases, *build.steps):
        is_repeated = case.status is Status.FAILED and step_name(case.name) == TEST_STEP
        if case.status is Status.FAILED and not is_repeated:
            yield Failure(origin, case.name, case.text)
