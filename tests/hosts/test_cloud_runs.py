"""``e2e run`` on clouds that are served here and boot real hosts, from nothing to published, and nothing is left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from providers.kubeadm.provider import IMAGES
from providers.releases.sources import PINNED, sources_from_env
from tests.support.clouds.behind import CLOUDS
from tests.support.harness import Harness
from tests.support.lab import Lab
from tests.support.lab.images import lab_images
from tests.support.lab.job import CONFIGS

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.timeout(1200)]
RUN_S = 1000.0


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_run_in_a_cloud_is_published_and_leaves_nothing_there(cloud: str, host_lab: Lab, tmp_path: Path) -> None:
    config = CONFIGS / f"{cloud}-lab.yaml"
    job = yaml.safe_load(config.read_text(encoding="utf-8"))["job"]
    variables = {**os.environ, IMAGES: str(lab_images(PINNED, sources_from_env(os.environ)))}
    with CLOUDS[cloud](host_lab) as (_, given):  # which fails for what is left at its end
        harness = Harness(tmp_path, {**variables, **given, "E2E_STATE_DIR": str(tmp_path / "state")})
        done = harness.e2e("run", config, "--results", harness.store, "--focus", "sig-network", timeout_s=RUN_S)
    verified = harness.e2e("verify", harness.store / "logs" / job)

    assert (done.code, verified.code) == (0, 0), f"{done.err}\n{verified.out}{verified.err}"
    (build,) = (path for path in (harness.store / "logs" / job).iterdir() if path.is_dir())
    finished = json.loads((build / "finished.json").read_text())
    assert (finished["result"], finished["passed"]) == ("SUCCESS", True)
    assert float(finished["metadata"]["machine-hours"]) > 0
    dumped = build / "artifacts" / "cluster" / "c1" / "nodes"
    assert {path.name for path in dumped.iterdir()} == {"cp1", "w1"}
