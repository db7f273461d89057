"""What only the installed plugins can say about a config: unknown names, a provider's own settings, what it needs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from providers import registry
from providers.config.explain import Sources, dotted, keys_at, problems_of
from providers.config.model import SUITE_KEYS, JobConfig
from providers.config.problems import Problem
from providers.contracts import ClusterSpec, Provider, ProviderType
from providers.wording import nearest, visible
from upload.errors import UsageError


def plugin_problems(values: Mapping[str, Any], config: JobConfig | None, sources: Sources) -> Iterator[Problem]:
    """Yield what the tester and the provider find. ``config`` is None when the rest of the config is wrong already."""
    yield from _tester_problems(values, config, sources)
    section = values.get("provider")
    name = section.get("name") if isinstance(section, Mapping) else None
    if not isinstance(section, Mapping) or not isinstance(name, str):
        return
    at = ("provider", "name")
    try:
        made = registry.provider_type(name)
        settings = registry.check_settings(name, {key: value for key, value in section.items() if key != "name"})
    except registry.UnknownPlugin as error:
        wanted = f"an installed provider: {', '.join(error.known) or 'none'}"
        yield Problem(sources.of_value(at), dotted(at), f"found '{visible(name)}'", wanted, error.near)
    except ValidationError as error:
        yield from problems_of(error, registry.provider_type(name).Settings, sources, under=("provider",))
    except UsageError as error:
        yield Problem(sources.of_value(at), dotted(at), str(error), "a provider that works")
    else:
        yield from _needs_of(made, made(settings), values, config, sources=sources)


def _needs_of(
    made: ProviderType, provider: Provider, values: Mapping[str, Any], config: JobConfig | None, *, sources: Sources
) -> Iterator[Problem]:
    if made.owns_cluster and "kubernetes" not in values:
        # a default would test a silently older version (DESIGN section 4)
        wanted = JobConfig.model_fields["kubernetes"].description or ""
        yield Problem(sources.top, "kubernetes", "missing, and the provider makes the cluster", wanted)
    refusals: Callable[[ClusterSpec], Mapping[str, str]] | None = getattr(provider, "refusals", None)  # ChecksCluster
    if config is not None and refusals:
        shape = config.cluster.model_dump()
        for key, wanted in refusals(config.cluster.spec()).items():
            loc = ("cluster", key)
            yield Problem(sources.of_value(loc), dotted(loc), f"found {visible(str(shape.get(key)))}", wanted)


def _tester_problems(values: Mapping[str, Any], config: JobConfig | None, sources: Sources) -> Iterator[Problem]:
    section = values.get("suite", {})
    if not isinstance(section, Mapping):
        return
    name = section.get("tester", "pytest")
    at = ("suite", "tester")
    try:
        tester = yield from _own_keys(str(name), section, sources)
    except registry.UnknownPlugin as error:
        if isinstance(name, str):
            wanted = f"an installed tester: {', '.join(error.known) or 'none'}"
            yield Problem(sources.of_value(at), dotted(at), f"found '{visible(name)}'", wanted, error.near)
    except UsageError as error:
        yield Problem(sources.of_value(at), dotted(at), str(error), "a tester that works")
    else:
        refusals = getattr(tester, "refusals", None)  # ChecksSuite
        if config is not None and refusals:
            for key, wanted in refusals({key: section[key] for key in SUITE_KEYS if key in section}).items():
                found = f"found '{visible(str(section[key]))}'"
                yield Problem(sources.of_value(("suite", key)), f"suite.{key}", found, wanted)


def _own_keys(name: str, section: Mapping[str, Any], sources: Sources) -> Generator[Problem, None, Any]:
    """Yield what is wrong with the keys that are not those of all testers; return the tester, None if they are wrong."""
    model = registry.tester_settings(name)
    known = keys_at(model, ())
    own = {key: value for key, value in section.items() if key not in SUITE_KEYS}
    for key in own.keys() - set(known):
        valid = (*SUITE_KEYS, *known)
        loc = ("suite", key)
        yield Problem(
            sources.of_key(loc), dotted(loc), "unknown key", f"one of {', '.join(valid)}", nearest(key, valid)
        )
    try:
        return registry.make_tester(name, {key: value for key, value in own.items() if key in known})
    except ValidationError as error:
        yield from problems_of(error, model, sources, under=("suite",))
        return None
