"""Check many configs at once: everything wrong with each, and what they must not have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers.config.document import shown_path
from providers.config.find import PARTY_FILE, config_files, find_job
from providers.config.load import Layers, LoadedJob, check_party, load_file
from providers.config.problems import ConfigError, Place, Problem, in_order
from providers.config.rules import normalised
from providers.wording import visible
from upload.errors import UsageError


@dataclass(frozen=True, slots=True)
class Review:
    """What a check came to: the files that were looked at, the jobs that are valid, and every problem in order."""

    files: tuple[Path, ...]
    jobs: tuple[LoadedJob, ...]
    problems: tuple[Problem, ...]


def review(refs: Sequence[str], *, search: Sequence[Path]) -> Review:
    """Return everything that is wrong with the given JOBs and FILEs, or with all configs of the search folders.

    A job that collides with one that was not asked about is a problem too; what else is wrong with that one is not.
    """
    problems: list[Problem] = []
    found = config_files(search)
    files = tuple(_files(refs, search, problems)) if refs else found
    layers = Layers(search)
    jobs = tuple(_load_all(files, layers, problems))
    named = {path.resolve() for path in files}
    others = _load_all((path for path in found if path.resolve() not in named), layers, []) if refs else ()
    problems += _collisions(jobs, tuple(others))
    return Review(files, jobs, in_order(problems))


def _files(refs: Iterable[str], search: Sequence[Path], problems: list[Problem]) -> Iterator[Path]:
    for ref in dict.fromkeys(refs):
        try:
            yield find_job(ref, search=search)
        except UsageError as error:
            problems.append(Problem(Place(visible(ref)), "", str(error)))


def _load_all(files: Iterable[Path], layers: Layers, problems: list[Problem]) -> Iterator[LoadedJob]:
    for path in files:
        try:
            if path.name == PARTY_FILE:
                check_party(path)
            else:
                yield load_file(path, layers)
        except ConfigError as error:
            problems += error.problems


def _collisions(jobs: Sequence[LoadedJob], others: Sequence[LoadedJob]) -> Iterator[Problem]:
    """Yield a problem for each job, and each tab of one dashboard, that an earlier config has already."""
    names: dict[str, LoadedJob] = {}
    tabs: dict[tuple[str, str], LoadedJob] = {}
    for job in (*others, *jobs):
        config = job.config
        first = names.setdefault(config.job, job)
        if first is not job:
            yield _taken(job, first, "job", config.job)
            continue
        tab = (normalised(config.dashboard.name), normalised(config.dashboard.tab))
        first = tabs.setdefault(tab, job)
        if first is not job:
            yield _taken(job, first, "dashboard.tab", config.dashboard.tab)


def _taken(job: LoadedJob, first: LoadedJob, key: str, value: str) -> Problem:
    loc = tuple(key.split("."))
    place = job.places.get(loc) or Place(shown_path(job.path))
    taken = f"'{visible(value)}' is taken by {first.places.get(loc) or Place(shown_path(first.path))}"
    expected = "a name that no other job has" if key == "job" else "a tab that no other job of the dashboard has"
    return Problem(place, key, taken, expected)
