"""A computer with one config of GCE and no run, and the fake that it finds there. A test module imports the fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from e2e.cli import cli
from providers.contracts import ClusterSpec
from providers.machines.gce import GceMachines
from providers.machines.gce_api import ENDPOINT
from providers.machines.gce_settings import GceSettings
from providers.testing import FolderBinaries, make_context
from tests.support.clouds.gce import PROJECT, Compute
from tests.support.clouds.gce_account import write_account
from tests.support.clouds.gce_server import serving

JOB = "ci-kubernetes-e2e-gce"
TOTAL_S = 600
SECTION = {"project": PROJECT, "region": "europe-west1", "runner_cidr": "192.0.2.200/32"}


@pytest.fixture(scope="session", autouse=True)
def sdk() -> None:
    """Import the SDK before any deadline runs: it takes seconds, and far more when it was just installed."""
    import google.cloud.compute_v1  # noqa: F401


@pytest.fixture
def compute() -> Compute:
    return Compute()


def tries_of(seconds: float, *, first_s: float, longest_s: float) -> int:
    """Return how often something is tried again in a time, where pauses double."""
    tries, pause_s = 0, first_s
    while seconds > 0:
        seconds, tries, pause_s = seconds - pause_s, tries + 1, min(longest_s, pause_s * 2)
    return tries


@dataclass
class Here:
    """A computer with one config and no run."""

    folder: Path
    variables: dict[str, str]

    @property
    def config(self) -> Path:
        return self.folder / "gce.yaml"

    def write_config(self, *, nodes: int = 2, **provider: Any) -> None:
        """Write the config with other keys under ``provider:``."""
        steps = dict.fromkeys(("up", "test", "dump", "down", "publish"), "60s")
        document: dict[str, Any] = {
            "job": JOB,
            "kubernetes": "pinned",
            "provider": {"name": "gce", **SECTION, **provider},
            "cluster": {"nodes": nodes},
            "party": "tests",
            "contact": {"github": "someone", "email": "someone@example.com"},
            "results": {"store": str(self.store)},
            "bucket_prefix": "tests:",
            "dashboard": {"group": "tests", "name": "tests-gce"},
            "defaults": {"timeouts": {**steps, "total": f"{TOTAL_S}s"}},
        }
        self.config.write_text(yaml.safe_dump(document))

    @property
    def store(self) -> Path:
        return self.folder / "bucket"

    def e2e(self, *argv: object) -> Result:
        return CliRunner().invoke(cli, list(map(str, argv)), env=self.variables, standalone_mode=False)

    def make(self, run: str, *, expires_s: int) -> None:
        made = make_context(self.folder / run, FolderBinaries(self.folder, "v1.36.3"), seconds=60)
        ctx = replace(made, run=run, expires_s=expires_s, variables=self.variables)
        maker = GceMachines(GceSettings.model_validate(SECTION), ready=lambda _reach, _ctx: None)
        maker.ensure(ClusterSpec(control_planes=1, nodes=0), ctx)


@pytest.fixture
def here(compute: Compute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(write_account(tmp_path / "account.json")))
    with serving(compute) as endpoint:
        here = Here(tmp_path, {ENDPOINT: endpoint, "E2E_STATE_DIR": str(tmp_path / "state")})
        here.write_config()
        yield here
