"""The tests that need a real cloud: skipped with a reason unless they are asked for, and good for the fakes of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clouds.azure import Arm
from tests.support.clouds.azure_server import serving
from tests.support.clouds.azure_subscription import SUBSCRIPTION

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


def run(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "pytest", "tests/live", "-q", "-p", "no:cacheprovider", "-n0", *options]
    given = {key: value for key, value in os.environ.items() if key not in ("CI", "PYTEST_ADDOPTS")} | env
    return subprocess.run(argv, cwd=ROOT, env=given, capture_output=True, text=True, timeout=300, check=False)


def test_without_options_all_are_skipped_with_their_reason() -> None:
    done = run("-rs")

    assert "2 skipped" in done.stdout
    assert "a real cloud: give --gce-project=…" in done.stdout
    assert "a real cloud: give --azure-subscription=…" in done.stdout


def test_what_is_amiss_in_the_cloud_fails_them_before_anything_is_made(tmp_path: Path) -> None:
    arm = Arm()
    with serving(arm, tmp_path) as served:
        done = run(f"--azure-subscription={SUBSCRIPTION}", E2E_AZURE_ENDPOINT=served.address, **served.variables)

    assert (done.returncode, arm.names()) == (1, [])
    assert "1 failed, 1 skipped" in done.stdout
    assert "Standard_B1s is not in westeurope" in done.stdout  # the fake has no such size
