"""A Jenkins job as jenkins-job-builder takes it: the name of a template and its values; and what its shells are told.

What a config says is hostile (DESIGN section 4). It reaches a shell as a quoted value only, jenkins-job-builder with
its braces doubled, a description as HTML text, and Jenkins' own macros with their ``$`` doubled.
"""

from __future__ import annotations

import html
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import yaml

from providers.config import JobConfig
from providers.config.jenkins import CREDENTIALS
from providers.config.model import GS

MARGIN_S: Final = 600  # Jenkins' own timeout behind that of a run: ours cuts, dumps and publishes before
TESTGRID: Final = "https://testgrid.k8s.io"
BROWSER: Final = "https://console.cloud.google.com/storage/browser"


@dataclass(frozen=True, slots=True)
class Definition:
    """One Jenkins job. ``template``: an id in ``templates.yaml``; ``values``: what it is given, not yet escaped."""

    name: str
    template: str
    values: Mapping[str, Any] = field(repr=False)

    def project(self) -> dict[str, Any]:
        """Return the project of jenkins-job-builder that makes the job."""
        values = {key: _escaped(value) for key, value in self.values.items()}
        return {"project": {"name": self.name, "job": self.name, **values, "jobs": [self.template]}}


def _escaped(value: Any) -> Any:
    """Return a value that jenkins-job-builder's formatting leaves as it was."""
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}")
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_escaped(each) for each in value]
    return value


def shell(settings: Mapping[str, str]) -> str:
    """Return assignments, one below the other, that give a shell these values, whatever is in them."""
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())


def token_text(value: str) -> str:
    """Return text in which Jenkins finds no macro or variable to expand."""
    return value.replace("$", "$$")


def config_text(config: JobConfig) -> str:
    """Return a config whole, party and all, as a YAML file in ASCII."""
    plain = _given(config.to_json())
    del plain["jenkins"]  # what runs the job
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=1000).rstrip("\n")


def _given(value: Any) -> Any:
    """Return a config's values without those that are absent."""
    if isinstance(value, dict):
        return {key: _given(each) for key, each in value.items() if each is not None and each != {}}
    return value


def bindings(names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the credentials plugin binds. ``names``: variable → credential id."""
    return [
        {CREDENTIALS[name]: {"credential-id": identity, "variable": name}} for name, identity in sorted(names.items())
    ]


def credential_kinds(names: Iterable[str]) -> str:
    """Return the variables for a shell, each with its kind: ``A:file B:text``."""
    return " ".join(f"{name}:{CREDENTIALS[name]}" for name in sorted(names))


def links_of(config: JobConfig) -> dict[str, str]:
    """Return label → address of the pages that show a job's builds."""
    board, results, found = config.dashboard, config.results, {}
    if results.is_public:
        found["bucket"] = f"{BROWSER}/{quote(results.root.removeprefix(GS) + config.job)}"
    if board.site:
        found["site"] = board.site
    if results.is_public:
        found["testgrid"] = f"{TESTGRID}/{quote(board.name)}#{quote(board.tab)}"
    return found


def recipients(config: JobConfig) -> str:
    """Return whom Jenkins writes to, as its mailer takes it."""
    return token_text(config.dashboard.alert_email or config.contact.email)


def links_html(links: Mapping[str, str]) -> str:
    """Return links for a description."""
    return " · ".join(f'<a href="{html.escape(url)}">{html.escape(label)}</a>' for label, url in links.items())


def links_text(links: Mapping[str, str]) -> str:
    """Return links for a log: one line."""
    return " ".join(f"{label}: {url}" for label, url in links.items()) or "results stay on the agent"
