"""Load a job: read its file, merge it over ``party.yaml``, validate everything, remember where each value came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from providers.config.document import Document, read_document, shown_path
from providers.config.explain import Sources, dotted, problems_of
from providers.config.find import find_job, party_file, refuse_strangers
from providers.config.model import JobConfig
from providers.config.places import Loc
from providers.config.plugins import plugin_problems
from providers.config.problems import ConfigError, Place, Problem, in_order


@dataclass(frozen=True, slots=True)
class LoadedJob:
    """A valid config, its file, and the place each value was written at. Defaults have no place."""

    config: JobConfig
    path: Path
    places: Mapping[Loc, Place]

    @property
    def origins(self) -> Mapping[str, Place]:
        """Return dotted key -> where its value stands."""
        return {dotted(loc): place for loc, place in self.places.items() if loc}

    def to_json(self) -> dict[str, Any]:
        """Return the resolved config as plain JSON values; ``JobConfig.from_json`` is the inverse."""
        return self.config.to_json()


def load_job(ref: str, *, search: Sequence[Path]) -> LoadedJob:
    """Return the job that JOB or FILE means.

    Raises: UsageError if there is no such job or more than one; ConfigError with everything that is wrong with it.
    """
    path = find_job(ref, search=search)
    try:
        return load_file(path, Layers(search))
    except ConfigError as error:
        raise ConfigError(error.problems, hint=f"e2e check {shown_path(path)}") from None


class Layers:
    """Reads the ``party.yaml`` under the configs of a folder, once a folder."""

    def __init__(self, search: Sequence[Path]) -> None:
        self.search = tuple(search)
        self._folders: dict[Path, Document | ConfigError | None] = {}

    def under(self, path: Path) -> Document | None:
        """Return the party's document for a config, or None if there is none. Raises its ConfigError each time."""
        if path.parent not in self._folders:
            self._folders[path.parent] = self._read(path)
        found = self._folders[path.parent]
        if isinstance(found, ConfigError):
            raise ConfigError(found.problems)
        return found

    def _read(self, path: Path) -> Document | ConfigError | None:
        party = party_file(path, self.search)
        try:
            if party is None:
                return None
            refuse_strangers(party, self.search)
            return read_document(party)
        except ConfigError as error:
            return error


def load_file(path: Path, layers: Layers) -> LoadedJob:
    """Return the job in one file. Raises ConfigError with everything that is wrong, each problem once."""
    refuse_strangers(path, layers.search)
    job, party = _both(path, layers)
    values = merge(party.values, job.values) if party else job.values
    sources = Sources(
        keys=job.keys.laid_on(party.keys) if party else job.keys,
        places=job.places.laid_on(party.places) if party else job.places,
        top=Place(job.shown, 1, 1),
    )
    of_form = [*job.problems, *(party.problems if party else ())]
    problems: list[Problem] = []
    config = _config(values, sources, problems)
    problems += plugin_problems(values, config, sources)
    if of_form or problems or config is None:
        # what could not be read is no wrong value as well
        unread = {problem.place for problem in of_form}
        raise ConfigError(in_order([*of_form, *(p for p in problems if p.place not in unread)]))
    return LoadedJob(config, path, sources.places)


def check_party(path: Path) -> None:
    """Raise ConfigError with what is wrong with a ``party.yaml`` read for itself; what only jobs give may be missing."""
    document = read_document(path)
    problems = list(document.problems)
    sources = Sources(document.keys, document.places, Place(document.shown, 1, 1))
    _config(document.values, sources, problems)
    problems = [problem for problem in problems if problem.what != "missing"]
    if problems:
        raise ConfigError(in_order(problems))


def _both(path: Path, layers: Layers) -> tuple[Document, Document | None]:
    """Read the job and the party under it; the problems of both at once."""
    problems: list[Problem] = []
    job: Document | None = None
    party: Document | None = None
    try:
        job = read_document(path)
    except ConfigError as error:
        problems += error.problems
    try:
        party = layers.under(path)
    except ConfigError as error:
        problems += error.problems
    if job is None or problems:
        raise ConfigError(in_order(problems))
    return job, party


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``over`` laid on ``under``: mappings key by key at any depth, anything else replaces."""
    merged = dict(under)
    for key, value in over.items():
        below = under.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]  # both says that they are
    return merged


def _config(values: Mapping[str, Any], sources: Sources, problems: list[Problem]) -> JobConfig | None:
    try:
        return JobConfig.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, JobConfig, sources)
        return None
