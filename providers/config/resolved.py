"""Show a resolved config: every value with the place it was written at, the provider's own defaults included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from providers import registry
from providers.config.explain import dotted
from providers.config.load import LoadedJob
from providers.config.places import Loc
from providers.wording import visible


@dataclass(frozen=True, slots=True)
class ResolvedValue:
    """One value of a config. ``key`` is dotted; ``origin`` is ``file:line``, or ``default``."""

    key: str
    value: Any
    origin: str

    def text(self) -> str:
        """Return the value as YAML would read it, on one line and fit for a terminal."""
        return visible(json.dumps(self.value, ensure_ascii=False), 1000)


def resolved_values(job: LoadedJob) -> tuple[ResolvedValue, ...]:
    """Return every value of a job in the order of the models; lists are one value."""
    provider = job.config.provider
    settings = registry.check_settings(provider.name, provider.settings)
    plain = job.to_json()
    plain["provider"] = {"name": provider.name, **settings.model_dump(mode="json", by_alias=True)}
    return tuple(_leaves(plain, (), job))


def _leaves(values: Mapping[str, Any], under: Loc, job: LoadedJob) -> Iterator[ResolvedValue]:
    for key, value in values.items():
        here = (*under, key)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, here, job)
            continue
        place = job.places.get(here)
        yield ResolvedValue(dotted(here), value, str(place) if place else "default")
