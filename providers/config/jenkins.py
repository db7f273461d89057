"""The section ``jenkins:`` of a config: what the Jenkins jobs of a party need besides the job itself. Never a credential's value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from providers.config.rules import expected
from providers.config.section import Section
from providers.wording import nearest

FILE, TEXT = "file", "text"
# variable that a run reads -> the kind of Jenkins credential that it is bound to. A closed list: a config under review
# must not set what a shell, Python or a loader reads.
CREDENTIALS: Final[Mapping[str, str]] = {
    "GOOGLE_APPLICATION_CREDENTIALS": FILE,
    "AZURE_TENANT_ID": TEXT,
    "AZURE_CLIENT_ID": TEXT,
    "AZURE_CLIENT_SECRET": TEXT,
    "AZURE_CLIENT_CERTIFICATE_PATH": FILE,
    "E2E_SSH_IDENTITY": FILE,
    "E2E_SUDO_PASSWORD": TEXT,
    "E2E_WEBHOOK_URL": TEXT,
    "E2E_WEBHOOK_TOKEN": TEXT,
}

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?: (?:&&|\|\|) !?[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,9}")
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,99}")
_PACKAGE = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?(?:\[[a-z0-9,-]{1,99}\])?==[0-9][A-Za-z0-9.+!-]{0,49}"
)


def credential_variable(value: str) -> str:
    """Accept a variable that takes a credential."""
    if value not in CREDENTIALS:
        raise expected(f"one of {', '.join(CREDENTIALS)}", near=nearest(value, tuple(CREDENTIALS)))
    return value


def credential_id(value: str) -> str:
    """Accept the id of a credential that Jenkins has."""
    if not _ID.fullmatch(value):
        raise expected("the id of a Jenkins credential: up to 100 letters, digits, '.', '_' and '-'")
    return value


def agent_label(value: str) -> str:
    """Accept what Jenkins selects an agent by."""
    if not _LABEL.fullmatch(value):
        raise expected('a label of agents, or several with && or || between them: "linux && e2e"')
    return value


def repository_name(value: str) -> str:
    """Accept a repository on GitHub."""
    if not _REPOSITORY.fullmatch(value):
        raise expected("a repository on GitHub, owner/name")
    return value


def branch_name(value: str) -> str:
    """Accept a branch by its name."""
    if not _BRANCH.fullmatch(value) or ".." in value or value.endswith((".lock", ".", "/")):
        raise expected("the name of a branch")
    return value


def pinned_package(value: str) -> str:
    """Accept a Python package of one version."""
    if not _PACKAGE.fullmatch(value):
        raise expected("a package with its version, name==1.2.3")
    return value


class Jenkins(Section):
    """How Jenkins runs the job."""

    label: Annotated[str, AfterValidator(agent_label)] = Field(
        default="e2e", description="label of the agents that run it; they have what a run needs, and Python 3.11"
    )
    credentials: dict[
        Annotated[str, AfterValidator(credential_variable)], Annotated[str, AfterValidator(credential_id)]
    ] = Field(default_factory=dict, description="environment variable: id of the Jenkins credential that it holds")
    packages: list[Annotated[str, AfterValidator(pinned_package)]] = Field(
        default_factory=list, max_length=20, description="more Python packages, such as a provider's: name==1.2.3"
    )
    repository: Annotated[str, AfterValidator(repository_name)] | None = Field(
        default=None,
        description="owner/name on GitHub of the repository with the configs; with it, jobs for pull requests are made",
    )
    branch: Annotated[str, AfterValidator(branch_name)] = Field(
        default="main", description="branch of the repository that is checked out for jobs that run its files"
    )
    pull_label: Annotated[str, AfterValidator(agent_label)] = Field(
        default="e2e-pull", description="label of the agents that run pull requests: they have no credentials at all"
    )
    keep_days: int = Field(default=60, ge=1, le=3650, description="days that Jenkins keeps the log of a build")
