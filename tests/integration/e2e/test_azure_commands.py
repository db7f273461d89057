"""Commands of a person against a subscription that is served here: what expired, what a run left, what a run would meet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from e2e.cli import cli
from providers.contracts import ClusterSpec
from providers.machines.azure import AzureMachines
from providers.machines.azure_api import ENDPOINT
from providers.machines.azure_settings import AzureSettings
from providers.testing import FolderBinaries, make_context
from tests.support.clouds.azure import Arm
from tests.support.clouds.azure_server import serving
from tests.support.clouds.azure_subscription import SUBSCRIPTION

JOB = "ci-kubernetes-e2e-azure"
SECTION = {"subscription": SUBSCRIPTION, "location": "westeurope", "runner_cidr": "192.0.2.200/32"}
HOUR_S = 3600


@dataclass
class Here:
    """A computer with one config and no run."""

    folder: Path
    variables: dict[str, str]

    @property
    def config(self) -> Path:
        return self.folder / "azure.yaml"

    def e2e(self, *argv: object) -> Result:
        return CliRunner().invoke(cli, list(map(str, argv)), env=self.variables, standalone_mode=False)

    def make(self, run: str, *, expires_s: int) -> None:
        made = make_context(self.folder / run, FolderBinaries(self.folder, "v1.36.3"), seconds=60)
        ctx = replace(made, run=run, expires_s=expires_s, variables=self.variables)
        maker = AzureMachines(AzureSettings.model_validate(SECTION), ready=lambda _reach, _ctx: None)
        maker.ensure(ClusterSpec(control_planes=1, nodes=0), ctx)


@pytest.fixture
def arm() -> Arm:
    return Arm()


@pytest.fixture
def here(arm: Arm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    import azure.identity
    import azure.mgmt.compute
    import azure.mgmt.network
    import azure.mgmt.resource.resources  # noqa: F401  # seconds, before any deadline runs

    steps = dict.fromkeys(("up", "test", "dump", "down", "publish"), "60s")
    document: dict[str, Any] = {
        "job": JOB,
        "kubernetes": "pinned",
        "provider": {"name": "azure", **SECTION},
        "party": "tests",
        "contact": {"github": "someone", "email": "someone@example.com"},
        "results": {"store": str(tmp_path / "bucket")},
        "bucket_prefix": "tests:",
        "dashboard": {"group": "tests", "name": "tests-azure"},
        "defaults": {"timeouts": {**steps, "total": "600s"}},
    }
    with serving(arm, tmp_path) as where:
        for name, value in where.variables.items():
            monkeypatch.setenv(name, value)
        here = Here(tmp_path, {ENDPOINT: where.address, "E2E_STATE_DIR": str(tmp_path / "state")})
        here.config.write_text(yaml.safe_dump(document))
        yield here


def groups(arm: Arm) -> list[str]:
    return arm.names("resourceGroups")


def test_what_expired_in_a_subscription_is_listed_and_goes_with_yes(arm: Arm, here: Here) -> None:
    now_s = int(time.time())
    here.make(f"{JOB}-20260101000000", expires_s=now_s - HOUR_S)
    here.make(f"{JOB}-20260101000001", expires_s=now_s + HOUR_S)
    arm.add("somebodys", "resourceGroups", "")

    listed = here.e2e("gc", "--provider", "azure", here.config)
    assert len(groups(arm)) == 3
    done = here.e2e("gc", "--provider", "azure", "--yes", here.config)

    (line,) = listed.stdout.splitlines()
    assert line.startswith(f"subscription {SUBSCRIPTION}: {JOB}-20260101000000 of tests, expired 20")
    assert line.endswith(f"Z: azure resource group e2e-{JOB}-20260101000000-group")
    assert (done.return_value, done.stdout) == (0, listed.stdout)
    assert groups(arm) == [f"resourceGroups/e2e-{JOB}-20260101000001-group", "resourceGroups/somebodys"]


def test_a_run_is_taken_down_on_a_computer_that_knows_its_name_only(arm: Arm, here: Here) -> None:
    for second in (0, 1):
        here.make(f"{JOB}-2026010100000{second}", expires_s=int(time.time()) + HOUR_S)

    done = here.e2e("down", f"{JOB}-20260101000000", "--job", here.config)

    assert done.return_value == 0, done.output
    assert groups(arm) == [f"resourceGroups/e2e-{JOB}-20260101000001-group"]


def test_what_a_run_would_meet_is_told(arm: Arm, here: Here) -> None:
    arm.subscription.unregistered = {"Microsoft.Network"}

    done = here.e2e("check", "--online", here.config)

    lines = [line.strip().removeprefix(f"{here.config}: ") for line in done.stdout.splitlines()]
    failed = lines.index("fail  resource provider: Microsoft.Network: NotRegistered")
    assert lines[failed + 1] == "try: az provider register --namespace Microsoft.Network"
    assert sum(line.startswith("fail") for line in lines) == 1
    assert arm.names() == []
