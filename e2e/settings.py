"""What the environment says, read once. No other module of the project looks at it; the values are passed on."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from upload.errors import UsageError

if TYPE_CHECKING:
    from providers.releases.sources import Progress, Sources

SHORTEST_SECRET = 8

# Jenkins' variable -> metadata key of finished.json
JENKINS = {"JOB_NAME": "jenkins-job", "BUILD_NUMBER": "jenkins-build", "BUILD_URL": "jenkins-url"}
# Jenkins ends every process that carries these when a build ends; ours are ended by ourselves, in order.
JENKINS_COOKIES = ("JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE", "HUDSON_COOKIE", "HUDSON_SERVER_COOKIE")
# What would change how our pytest runs: it is meant for the caller's own tests.
PYTEST_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment as values.

    ``state``: private folder of all runs; ``artifacts``: folder that gets one ``<RUN>/`` each; ``metadata``: Jenkins'
    facts for ``finished.json``; ``secrets``: values that must never be published; ``owner``: ``user@host``;
    ``variables``: the environment itself, for the programs we start.
    """

    state: Path
    artifacts: Path
    owner: str
    node: str
    metadata: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def child_variables(self) -> dict[str, str]:
        """Return the environment for a tester: ours without Jenkins' cookies and without the caller's pytest options."""
        dropped = {*JENKINS_COOKIES, *PYTEST_VARIABLES}
        return {name: value for name, value in self.variables.items() if name not in dropped}

    def variables_for(self, provider: object) -> dict[str, str]:
        """Return what a provider's class asks for of the environment."""
        asked: tuple[str, ...] = getattr(provider, "variables", ())  # ReadsEnvironment
        return {name: self.variables[name] for name in asked if self.variables.get(name)}

    def sources(self, *, offline: bool, progress: Callable[[Progress], None]) -> Sources:
        """Return where programs may come from: E2E_CACHE_DIR, E2E_MIRROR. Raises UsageError."""
        from providers.releases.sources import sources_from_env

        return sources_from_env(self.variables, offline=offline, progress=progress)


def read_settings(variables: Mapping[str, str], *, cwd: Path) -> Settings:
    """Return the settings of an environment. ``cwd``: where ``_artifacts`` lies. Raises UsageError without a home."""
    node = socket.gethostname()
    return Settings(
        state=_state_dir(variables),
        artifacts=cwd / "_artifacts",
        owner=f"{_user()}@{node}",
        node=node,
        metadata=tuple((key, variables[name]) for name, key in JENKINS.items() if variables.get(name)),
        secrets=tuple(sorted(set(_secrets(variables)))),
        variables=dict(variables),
    )


def current_settings() -> Settings:
    """Return the settings of this process: the one place that reads the environment."""
    return read_settings(os.environ, cwd=Path.cwd())


def _state_dir(variables: Mapping[str, str]) -> Path:
    if own := variables.get("E2E_STATE_DIR"):
        return Path(own).absolute()
    if base := variables.get("XDG_STATE_HOME"):
        return Path(base).absolute() / "federated-e2e"
    if home := variables.get("HOME"):
        return Path(home).absolute() / ".local" / "state" / "federated-e2e"
    raise UsageError("no folder for the state of runs: HOME is not set", hint="export E2E_STATE_DIR=/some/folder")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "unknown"


def _secrets(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield the runner's own secrets. ``E2E_SECRETS`` names more variables, with blanks or commas between."""
    from upload.secrets import environment_secrets, file_secrets

    named = set(re.split(r"[\s,]+", variables.get("E2E_SECRETS", "")))
    yield from (variables[name] for name in named if len(variables.get(name, "")) >= SHORTEST_SECRET)
    yield from environment_secrets({name: value for name, value in variables.items() if name != "E2E_SECRETS"})
    for path in _credential_files(variables):
        yield from file_secrets(path)


def _credential_files(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files that the cloud SDKs' credential chains read, and the key that opens machines."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_CERTIFICATE_PATH", "E2E_SSH_IDENTITY"):
        if variables.get(name):
            yield Path(variables[name])
    if home := variables.get("HOME"):
        yield Path(variables.get("CLOUDSDK_CONFIG", f"{home}/.config/gcloud")) / "application_default_credentials.json"
        yield Path(home) / ".azure" / "msal_token_cache.json"
