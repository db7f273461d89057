"""``e2e run`` on two real hosts, from nothing to published, and machines that are as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hosts.clusters import differences, lab_harness, states, write_config
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.timeout(1200)]
RUN_S = 1000.0
JOB = "ci-kubernetes-e2e-ubuntu-lab"


def test_a_run_on_two_machines_is_published_and_leaves_them_as_they_were(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    harness = lab_harness(tmp_path, hosts)
    config = write_config(tmp_path, hosts)

    done = harness.e2e("run", config, "--results", harness.store, "--focus", "sig-network", timeout_s=RUN_S)
    verified = harness.e2e("verify", harness.store / "logs" / JOB)

    assert (done.code, verified.code) == (0, 0), f"{done.err}\n{verified.out}{verified.err}"
    (build,) = (path for path in (harness.store / "logs" / JOB).iterdir() if path.is_dir())
    finished = json.loads((build / "finished.json").read_text())
    assert (finished["result"], finished["passed"]) == ("SUCCESS", True)
    dumped = build / "artifacts" / "cluster" / "c1" / "nodes"
    assert {host.name for host in hosts} <= {path.name for path in dumped.iterdir()}
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)
