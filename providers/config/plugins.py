"""What only the installed plugins can say about a config: unknown names, a provider's own settings, what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from providers import registry
from providers.config.explain import Sources, dotted, problems_of
from providers.config.model import JobConfig
from providers.config.problems import Problem
from providers.contracts import ClusterSpec, Provider, ProviderType
from providers.wording import nearest, visible
from upload.errors import UsageError


def plugin_problems(values: Mapping[str, Any], config: JobConfig | None, sources: Sources) -> Iterator[Problem]:
    """Yield what the tester and the provider find. ``config`` is None when the rest of the config is wrong already."""
    yield from _tester_problems(values, sources)
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


def _tester_problems(values: Mapping[str, Any], sources: Sources) -> Iterator[Problem]:
    suite = values.get("suite")
    name = suite.get("tester") if isinstance(suite, Mapping) else None
    known = registry.plugin_names(registry.TESTERS)
    if isinstance(name, str) and name not in known:
        at = ("suite", "tester")
        wanted = f"an installed tester: {', '.join(known) or 'none'}"
        yield Problem(sources.of_value(at), dotted(at), f"found '{visible(name)}'", wanted, nearest(name, known))
