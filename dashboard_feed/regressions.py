"""What broke: for each test that fails now and passed before, its last good and first bad build on each platform."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dashboard_feed.alerts import Point, point_of
from dashboard_feed.builds import PART, TEST_STEP, Build, Job, Mark, results, step_name
from dashboard_feed.clusters.failures import Origin
from dashboard_feed.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dashboard_feed.builds import Bucket


@dataclass(frozen=True, slots=True)
class Place:
    """A test in one job.

    ``platform``: where its cluster ran, as metadata ``provider`` or the party names it. ``failures``: how many of the
    newest results are failures, 0 where it is good. ``first_bad``: the oldest of these. ``last_good``: the newest good
    result, None where it never passed.
    """

    platform: str
    job: Job
    failures: int
    first_bad: Point | None
    last_good: Point | None

    @property
    def is_broken(self) -> bool:
        """Tell whether it fails now and passed before."""
        return self.first_bad is not None and self.last_good is not None


@dataclass(frozen=True, slots=True)
class Regression:
    """One test that broke. ``places``: every job that ran it, the broken ones first. ``is_step``: a lifecycle step."""

    test: str
    is_step: bool
    places: tuple[Place, ...]

    @property
    def broken(self) -> tuple[Place, ...]:
        """The jobs in which it broke; never empty."""
        return tuple(place for place in self.places if place.is_broken)

    @property
    def newest_s(self) -> int:
        """When it broke last, 0 where nobody knows."""
        return max((place.first_bad.at_s or 0 for place in self.broken if place.first_bad), default=0)

    @property
    def narrowest(self) -> tuple[Point, Point] | None:
        """The latest good and the earliest bad of all broken jobs, if one cause is behind all; None if it cannot be.

        A test that was still good in one job when it was bad in another already has no cause that time alone tells.
        """
        good = [place.last_good for place in self.broken if place.last_good and place.last_good.at_s is not None]
        bad = [place.first_bad for place in self.broken if place.first_bad and place.first_bad.at_s is not None]
        if not good or not bad:
            return None
        last, first = max(good, key=lambda seen: seen.at_s or 0), min(bad, key=lambda seen: seen.at_s or 0)
        return (last, first) if (last.at_s or 0) < (first.at_s or 0) else None


def find_regressions(buckets: Sequence[Bucket]) -> tuple[Regression, ...]:
    """Return what broke, the newest first.

    The step Test repeats its tests and a step repeats its parts, so these are left out where those are told.
    """
    places: dict[tuple[bool, str], list[Place]] = {}
    for job in (job for bucket in buckets for job in bucket.jobs):
        for key, place in _places(job):
            places.setdefault(key, []).append(place)
    found = [
        Regression(test, is_step, tuple(sorted(many, key=lambda p: (not p.is_broken, p.platform, p.job.full_name))))
        for (is_step, test), many in places.items()
        if any(place.is_broken for place in many)
    ]
    steps = {regression.test for regression in found if regression.is_step}
    told = [r for r in found if not (r.is_step and (_is_test_step(r) or _has_part(r, steps)))]
    return tuple(sorted(told, key=lambda r: (-r.newest_s, -len(r.broken), r.test)))


def as_json(regression: Regression) -> dict[str, object]:
    """Return a regression as a JSON object."""
    narrowest = regression.narrowest
    return {
        "test": regression.test,
        "is_step": regression.is_step,
        "narrowest": {"good": asdict(narrowest[0]), "bad": asdict(narrowest[1])} if narrowest else None,
        "places": [
            {
                "platform": place.platform,
                "job": place.job.full_name,
                "bucket": place.job.spec.uri,
                "failures": place.failures,
                "first_bad": asdict(place.first_bad) if place.first_bad else None,
                "last_good": asdict(place.last_good) if place.last_good else None,
            }
            for place in regression.places
        ],
    }


def listing(regressions: Sequence[Regression]) -> Iterator[str]:
    """Yield regressions as lines for a terminal."""
    for regression in regressions:
        yield one_line(step_name(regression.test) if regression.is_step else regression.test, 200)
        for place in regression.places:
            where = f"  {one_line(place.platform, 20):<12} {one_line(place.job.full_name, 100)}"
            if place.is_broken and place.first_bad and place.last_good:
                yield f"{where}: bad since {_words(place.first_bad)}"
                yield f"{'':15}last good {_words(place.last_good)}"
            else:
                yield f"{where}: {'never passed' if place.first_bad else 'good'}"


def _places(job: Job) -> Iterator[tuple[tuple[bool, str], Place]]:
    """Yield where each test of a job stands; builds without a result of it say nothing."""
    history: dict[tuple[bool, str], list[tuple[Build, bool]]] = {}
    closed: set[tuple[bool, str]] = set()
    for build in job.builds:  # newest first
        for is_step, cases in ((True, build.steps), (False, build.cases)):
            for result in results(cases):
                key = (is_step, result.name)
                if result.mark is Mark.SKIPPED or key in closed:
                    continue
                history.setdefault(key, []).append((build, result.mark is Mark.FAILED))
                if result.mark is not Mark.FAILED:
                    closed.add(key)  # nothing older matters
    for key, seen in history.items():
        bad = [build for build, is_bad in seen if is_bad]
        good = next((build for build, is_bad in seen if not is_bad), None)
        yield (
            key,
            Place(
                Origin(job, seen[0][0]).platform,
                job,
                len(bad),
                point_of(bad[-1]) if bad else None,
                point_of(good) if good else None,
            ),
        )


def _is_test_step(regression: Regression) -> bool:
    return step_name(regression.test) == TEST_STEP


def _has_part(regression: Regression, steps: set[str]) -> bool:
    return any(name.startswith(f"{regression.test}{PART}") for name in steps)


def _words(seen: Point) -> str:
    from dashboard_feed.show import moment

    facts = (one_line(seen.build, 40), moment(seen.at_s), one_line(seen.version, 60), one_line(seen.commit, 20))
    return ", ".join(dict.fromkeys(fact for fact in facts if fact))
