"""A machine that reboots while the suite runs: the provider's failure, and no verdict on what was tested."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from e2e.lifecycle.state import RunState
from tests.hosts.clusters import differences, lab_harness, states, write_config
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(1800)]


def is_under_way(state: RunState) -> bool:
    """Say whether a case has ended."""
    log = Path(state.artifacts, "build-log.txt").read_text(encoding="utf-8")
    return re.search(r" (passed|failed) +[0-9.]+ s  ", log) is not None


def test_a_reboot_during_the_suite_is_the_providers_failure(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(1)
    before = states(host_lab, hosts)
    harness = lab_harness(tmp_path, hosts)
    suite = {
        "preset": "nightly",
        "select": "not slow and not disruptive",
        "focus": "Deployment|Probe|Job",
        "workers": 4,
    }
    process = harness.start("run", write_config(tmp_path, hosts, nodes=0, suite=suite), "--log-format", "plain")
    try:
        harness.wait_for(lambda state: state.is_ended or (state.step == "test" and is_under_way(state)), patience_s=900)
        host_lab.run("h1", "systemd-run --quiet systemctl reboot")
    finally:
        _, err = process.communicate(timeout=900)

    state = harness.state()
    first, *others = state.failures
    assert (process.returncode, first.outcome.name, first.step) == (3, "PROVIDER", "Test"), err
    assert first.text.startswith("machines were lost while the suite ran: h1: "), first
    assert [(each.step, each.outcome.name) for each in others] == [("Test", "TESTS_FAILED")], others
    assert "Traceback" not in err
    finished: dict[str, Any] = json.loads(next((tmp_path / "_results").rglob("finished.json")).read_text())
    assert (finished["result"], finished["metadata"]["failure"]) == ("FAILURE", str(first))
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)
