"""Check many configs at once: everything wrong with each, and what they must not have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers.config.find import PARTY_FILE, config_files, find_job
from providers.config.load import Layers, LoadedJob, check_party, load_file
from providers.config.problems import ConfigError, Place, Problem, in_order
from providers.config.shared import Claims
from providers.wording import visible
from upload.errors import UsageError


@dataclass(frozen=True, slots=True)
class Review:
    """What a check came to: the files that were looked at, those of them that are valid jobs, every problem in order."""

    files: tuple[Path, ...]
    valid: tuple[Path, ...]
    problems: tuple[Problem, ...]
    search: tuple[Path, ...]

    @property
    def jobs(self) -> Iterator[LoadedJob]:
        """Yield the valid jobs. Each is read when it is asked for: thousands are never in memory together."""
        layers = Layers(self.search)
        return (load_file(path, layers) for path in self.valid)


def review(refs: Sequence[str], *, search: Sequence[Path]) -> Review:
    """Return everything that is wrong with the given JOBs and FILEs, or with all configs of the search folders.

    A job that collides with one that was not asked about is a problem too; what else is wrong with that one is not.
    """
    problems: list[Problem] = []
    found = config_files(search)
    files = tuple(_files(refs, search, problems)) if refs else found
    layers, claims = Layers(search), Claims()
    named = {path.resolve() for path in files} if refs else set()
    for job in _load_all((path for path in found if refs and path.resolve() not in named), layers, []):
        deque(claims.add(job), maxlen=0)
    valid = []
    for job in _load_all(files, layers, problems):
        problems += claims.add(job)
        valid.append(job.path)
    return Review(files, tuple(valid), in_order(problems), tuple(search))


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
