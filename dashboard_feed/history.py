"""What test-history makes: ``tests.json`` and the facts of its pages, for the last 24 hours.

Source: consumers.md section 3; kubernetes/test-infra jenkins/test-history/gen_json.py and gen_html.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed.builds import DAY_S, Bucket, Build, Job
from upload.model import Case, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# gen_json.py matches from the start of the name, so every alternative is anchored there.
LISTED = re.compile(r"^kubernetes|kubernetes-build|kubelet-gce-e2e-ci|ci-kubernetes")


@dataclass(frozen=True, slots=True)
class Tally:
    """One test in one job within the day. ``latest_failure`` is a build id, or empty. ``seconds`` sum over runs.

    ``is_step``: it is a lifecycle step, which this reader takes for a test.
    """

    name: str
    passed: int
    failed: int
    seconds: float
    latest_failure: str
    is_step: bool = False

    @property
    def runs(self) -> int:
        """How often it ran; a skip is no run."""
        return self.passed + self.failed

    @property
    def mean_s(self) -> float:
        """Mean seconds of a run."""
        return self.seconds / self.runs


@dataclass(frozen=True, slots=True)
class Suite:
    """One job within the day: builds passed and failed by their JUnit, tests stable, unstable and broken.

    ``tallies``: all that the reader takes for tests, of which those that are steps count as none.
    """

    job: Job
    passed: int
    failed: int
    latest_failure: str
    tallies: tuple[Tally, ...]

    @property
    def tests(self) -> tuple[Tally, ...]:
        """The tests, without the steps."""
        return tuple(tally for tally in self.tallies if not tally.is_step)

    @property
    def stable(self) -> int:
        """Tests that never failed."""
        return sum(1 for test in self.tests if not test.failed)

    @property
    def broken(self) -> int:
        """Tests that always failed."""
        return sum(1 for test in self.tests if not test.passed)

    @property
    def unstable(self) -> int:
        """Tests that failed sometimes."""
        return len(self.tests) - self.stable - self.broken


@dataclass(frozen=True, slots=True)
class BadTest:
    """One test that failed within the day, over all listed jobs. ``places`` are the suites where it failed."""

    name: str
    passed: int
    failed: int
    places: tuple[tuple[Suite, Tally], ...]

    @property
    def is_step(self) -> bool:
        """Tell whether it is a lifecycle step wherever it failed."""
        return all(tally.is_step for _, tally in self.places)


def is_listed(job: str) -> bool:
    """Tell whether test-history lists a job of this name."""
    return LISTED.match(job) is not None


def of_the_day(builds: Sequence[Build], now_s: int) -> tuple[Build, ...]:
    """Return the builds that finished within the last 24 hours, in the given order."""
    return tuple(b for b in builds if b.is_finished and b.finished_s is not None and now_s - b.finished_s <= DAY_S)


def render_tests_json(buckets: Sequence[Bucket], now_s: int) -> bytes:
    """Return ``tests.json``: keys sorted, names as indexes, every bucket a key even when it has no build.

    Names are numbered in order of appearance: buckets as given, jobs by name, builds newest first.
    """
    names: dict[str, int] = {}
    found: dict[str, dict[str, dict[str, object]]] = {}
    for bucket in buckets:
        jobs = found.setdefault(bucket.spec.uri, {})
        for job in _listed_jobs(bucket):
            builds = {
                build.number: {
                    "tests": [_entry(case, names) for case in _all_cases(build)],
                    "timestamp": build.finished_s,
                }
                for build in of_the_day(job.builds, now_s)
            }
            if builds:
                jobs[job.name] = dict(builds)
    return json.dumps({"buckets": found, "test_names": list(names)}, sort_keys=True).encode("ascii")


def suites(buckets: Sequence[Bucket], now_s: int) -> tuple[Suite, ...]:
    """Return every listed job that had a build within the day, by full name."""
    found = [
        _suite(job, builds)
        for bucket in buckets
        for job in _listed_jobs(bucket)
        if (builds := of_the_day(job.builds, now_s))
    ]
    return tuple(sorted(found, key=lambda suite: suite.job.full_name))


def bad_tests(many: Sequence[Suite]) -> tuple[BadTest, ...]:
    """Return the tests that failed anywhere, most failures first, steps after tests.

    Counts are sums over the jobs where they failed.
    """
    places: dict[str, list[tuple[Suite, Tally]]] = {}
    for suite in many:
        for test in suite.tallies:
            if test.failed:
                places.setdefault(test.name, []).append((suite, test))
    bad = [
        BadTest(name, sum(t.passed for _, t in where), sum(t.failed for _, t in where), tuple(where))
        for name, where in places.items()
    ]
    return tuple(sorted(bad, key=lambda test: (test.is_step, -test.failed, test.passed, test.name)))


def _listed_jobs(bucket: Bucket) -> Iterator[Job]:
    return (job for job in bucket.jobs if is_listed(job.name))


def _all_cases(build: Build) -> list[Case]:
    """Return the cases that this reader finds: those of direct children of ``artifacts/``, steps among them."""
    return [case for case in (*build.cases, *build.steps) if case.source.count("/") < 2]


def _entry(case: Case, names: dict[str, int]) -> dict[str, object]:
    entry: dict[str, object] = {"name": names.setdefault(case.name, len(names)), "time": float(case.seconds)}
    if case.status is Status.FAILED:
        entry["failed"] = True
    elif case.status is Status.SKIPPED:
        entry["skipped"] = True
    return entry


def _suite(job: Job, builds: Sequence[Build]) -> Suite:
    counts: dict[str, list[float]] = {}
    failed_in: dict[str, str] = {}
    failed_builds = []
    steps = {step.name for build in builds for step in build.steps}
    for build in builds:  # newest first, so the first failure that is seen is the latest
        for case in _all_cases(build):
            if case.status is Status.SKIPPED:
                continue
            count = counts.setdefault(case.name, [0, 0, 0.0])
            is_failed = case.status is Status.FAILED
            count[is_failed] += 1
            count[2] += case.seconds
            if is_failed:
                failed_in.setdefault(case.name, build.number)
                failed_builds.append(build.number)
    tests = [Tally(n, int(c[0]), int(c[1]), c[2], failed_in.get(n, ""), n in steps) for n, c in counts.items()]
    tests.sort(key=lambda t: (-t.failed, -t.passed, t.name.lower(), t.name))
    failed = len(set(failed_builds))
    return Suite(job, len(builds) - failed, failed, failed_builds[0] if failed_builds else "", tuple(tests))
