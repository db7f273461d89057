"""Drafts of new configs: a job and, where there is none yet, its party; with a comment at each key, ready to be edited."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.registry import provider_type

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_ROOMY = 38  # column of comments


@dataclass(frozen=True, slots=True)
class JobDraft:
    """What is asked about a job. ``settings``: the provider's keys as plain values; ``kubernetes`` empty: the cluster has one."""

    job: str
    provider: str
    description: str = ""
    kubernetes: str = ""
    nodes: int = 2
    preset: str = "nightly"
    schedule: str = ""
    tab: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartyDraft:
    """What is asked about a party."""

    party: str
    github: str
    email: str
    store: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A key of a provider that has no default. ``about``: what it means."""

    key: str
    about: str


def asked_of(provider: str) -> tuple[Asked, ...]:
    """Return the keys that a config of a provider must have. Raises: UnknownPlugin, BrokenPlugin."""
    fields = provider_type(provider).Settings.model_fields
    return tuple(
        Asked(each.alias or key, each.description or key) for key, each in fields.items() if each.is_required()
    )


def makes_cluster(provider: str) -> bool:
    """Say whether a provider makes the cluster, so that a config must say of which version."""
    return provider_type(provider).owns_cluster


def render_job(draft: JobDraft) -> str:
    """Return the YAML of a job's config."""
    lines = [
        *_key("job", draft.job, "the name in the bucket, in Jenkins and in TestGrid"),
        *_key("description", draft.description, "one sentence for the dashboards"),
        "",
    ]
    if draft.kubernetes:
        lines += _key("kubernetes", draft.kubernetes, "vX.Y.Z, release/stable[-X.Y], ci/latest[-X.Y] or pinned")
    lines += ["provider:", *_key("  name", draft.provider, "`e2e providers` lists the installed ones")]
    lines += [line for key, value in draft.settings.items() for line in _key(f"  {key}", value, "")]
    lines += _optional(draft)
    if makes_cluster(draft.provider):
        lines += ["", "cluster:", *_key("  nodes", draft.nodes, "workers; control_planes: 1 unless given")]
    lines += ["", "suite:", *_key("  preset", draft.preset, "gating, conformance, nightly or soak")]
    lines += ["", *_key("schedule", draft.schedule, "when Jenkins starts it")] if draft.schedule else []
    lines += ["", "dashboard:", *_key("  tab", draft.tab, "the tab in TestGrid")]
    return "\n".join([*lines, ""])


def render_party(draft: PartyDraft) -> str:
    """Return the YAML of a ``party.yaml``: what all jobs beside it have in common."""
    return "\n".join(
        [
            "# What all jobs in this folder have in common: merged under each of them, key by key.",
            *_key("party", draft.party, "short name of whoever runs the tests"),
            "contact:",
            *_key("  github", draft.github, "whom dashboards name"),
            *_key("  email", draft.email, ""),
            "results:",
            *_key("  store", draft.store, "gs://bucket[/path], readable and listable by everybody; or a folder"),
            *_key("bucket_prefix", f"{draft.party}:", "stands before these jobs in test-history"),
            "dashboard:",
            *_key("  group", "provider", "TestGrid's dashboard group"),
            *_key("  name", f"provider-{draft.party}", "the dashboard: <group>-…"),
            "",
        ]
    )


def _optional(draft: JobDraft) -> Iterator[str]:
    """Yield the provider's other keys that have a plain default, as comments."""
    for key, each in provider_type(draft.provider).Settings.model_fields.items():
        name, default = each.alias or key, each.default
        if each.is_required() or name in draft.settings or not isinstance(default, (str, int, bool)):
            continue
        yield from _key(f"  # {name}", default, (each.description or "").partition(";")[0])


def _key(key: str, value: Any, about: str) -> Iterator[str]:
    text = f"{key}: {_scalar(value)}"
    yield f"{text:<{_ROOMY}}  # {about}" if about else text


def _scalar(value: Any) -> str:
    """Return a value on one line. A text in JSON is one in YAML, too."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
