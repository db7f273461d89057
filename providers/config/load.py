"""Load a job: read its file, merge it over ``party.yaml``, validate everything, remember where each value came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from providers import registry
from providers.config.document import Document, read_document, shown_path
from providers.config.explain import Sources, dotted, problems_of
from providers.config.find import find_job, party_file, refuse_strangers
from providers.config.model import JobConfig
from providers.config.problems import ConfigError, Place, Problem, in_order
from providers.wording import nearest, visible
from upload.errors import UsageError


@dataclass(frozen=True, slots=True)
class LoadedJob:
    """A valid config, its file, and for each key (dotted) the place its value was written at. Defaults have no place."""

    config: JobConfig
    path: Path
    origins: Mapping[str, Place]

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
    """Reads the ``party.yaml`` under each config, each file once."""

    def __init__(self, search: Sequence[Path]) -> None:
        self.search = tuple(search)
        self._read: dict[Path, Document | ConfigError] = {}

    def under(self, path: Path) -> Document | None:
        """Return the party's document for a config, or None if there is none. Raises its ConfigError each time."""
        party = party_file(path, self.search)
        if party is None:
            return None
        if party not in self._read:
            try:
                refuse_strangers(party, self.search)
                self._read[party] = read_document(party)
            except ConfigError as error:
                self._read[party] = error
        found = self._read[party]
        if isinstance(found, ConfigError):
            raise ConfigError(found.problems)
        return found


def load_file(path: Path, layers: Layers) -> LoadedJob:
    """Return the job in one file. Raises ConfigError with everything that is wrong, each problem once."""
    refuse_strangers(path, layers.search)
    job, party = _both(path, layers)
    values = merge(party.values, job.values) if party else job.values
    sources = Sources(
        keys={**party.keys, **job.keys} if party else job.keys,
        places={**party.places, **job.places} if party else job.places,
        top=Place(job.shown, 1, 1),
    )
    problems: list[Problem] = []
    config = _config(values, sources, problems)
    problems += _provider_problems(values, sources)
    if problems or config is None:
        raise ConfigError(in_order(problems))
    return LoadedJob(config, path, {dotted(loc): place for loc, place in sources.places.items() if loc})


def check_party(path: Path) -> None:
    """Raise ConfigError with what is wrong with a ``party.yaml`` read for itself; what only jobs give may be missing."""
    document = read_document(path)
    sources = Sources(document.keys, document.places, Place(document.shown, 1, 1))
    try:
        JobConfig.model_validate(document.values)
    except ValidationError as error:
        problems = [p for p in problems_of(error, JobConfig, sources) if p.what != "missing"]
        if problems:
            raise ConfigError(in_order(problems)) from None


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


def _provider_problems(values: Mapping[str, Any], sources: Sources) -> Iterator[Problem]:
    """Yield what only the installed plugins can say: unknown names, the provider's settings, what it needs."""
    yield from _tester_problems(values, sources)
    section = values.get("provider")
    name = section.get("name") if isinstance(section, Mapping) else None
    if not isinstance(section, Mapping) or not isinstance(name, str):
        return
    at = ("provider", "name")
    try:
        made = registry.provider_type(name)
        registry.check_settings(name, {key: value for key, value in section.items() if key != "name"})
    except registry.UnknownPlugin as error:
        wanted = f"an installed provider: {', '.join(error.known) or 'none'}"
        yield Problem(sources.of_value(at), dotted(at), f"found '{visible(name)}'", wanted, error.near)
    except ValidationError as error:
        yield from problems_of(error, registry.provider_type(name).Settings, sources, under=("provider",))
    except UsageError as error:
        yield Problem(sources.of_value(at), dotted(at), str(error), "a provider that works")
    else:
        if made.owns_cluster and "kubernetes" not in values:
            wanted = JobConfig.model_fields["kubernetes"].description or ""
            yield Problem(sources.top, "kubernetes", f"missing; {name} makes its own cluster", wanted)


def _tester_problems(values: Mapping[str, Any], sources: Sources) -> Iterator[Problem]:
    suite = values.get("suite")
    name = suite.get("tester") if isinstance(suite, Mapping) else None
    known = registry.plugin_names(registry.TESTERS)
    if isinstance(name, str) and name not in known:
        at = ("suite", "tester")
        wanted = f"an installed tester: {', '.join(known) or 'none'}"
        yield Problem(sources.of_value(at), dotted(at), f"found '{visible(name)}'", wanted, nearest(name, known))
