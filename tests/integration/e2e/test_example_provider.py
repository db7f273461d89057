"""The provider of ``docs/examples/``, installed as a package of its own: its contract, and a whole run to a green tab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.harness import Harness

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "e2e-provider-kwokctl"
JOB = "ci-kubernetes-e2e-acme-kwokctl"
RUN_S = 900.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the package is installed into, as pip installs any."""
    folder = tmp_path_factory.mktemp("site")
    uv = str(Path(sys.executable).with_name("uv"))
    argv = [uv, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*argv, "--target", str(folder), str(EXAMPLE)], check=True, timeout=300, cwd=folder)
    return folder


def test_it_keeps_the_contract(site: Path, tmp_path: Path) -> None:
    module = tmp_path / "test_example.py"
    module.write_bytes((EXAMPLE / "test_e2e_provider_kwokctl.py").read_bytes())
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(module)]

    done = subprocess.run(
        argv,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_job_with_it_goes_from_its_check_to_a_green_build(site: Path, tmp_path: Path) -> None:
    config = tmp_path / "kwokctl.yaml"
    config.write_bytes((EXAMPLE / "kwokctl.yaml").read_bytes())
    variables = {**os.environ, "PYTHONPATH": str(site), "E2E_STATE_DIR": str(tmp_path / "state")}
    harness = Harness(tmp_path, variables)

    checked = harness.e2e("check", config)
    refused = harness.e2e("check", _with(config, "cluster: {nodes: 2}", "cluster: {control_planes: 3}"))
    ran = harness.e2e("run", config, "--focus", "Deployment|ConfigMap", timeout_s=RUN_S)
    verified = harness.e2e("verify", tmp_path / "_results" / "bucket" / "logs" / JOB)

    assert (checked.code, checked.out) == (0, ""), checked.err
    assert "cluster.control_planes: found 3; expected 1: kwokctl makes one" in refused.out
    assert (ran.code, verified.code) == (0, 0), ran.err
    assert "SUCCESS: " in ran.err


def _with(config: Path, old: str, new: str) -> Path:
    changed = config.with_name("changed.yaml")
    text = config.read_text()
    assert old in text
    changed.write_text(text.replace(old, new))
    return changed
