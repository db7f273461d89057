"""Ctrl-C while a cluster is made on real hosts: the run is published as aborted, and the machines are given back."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.hosts.clusters import differences, lab_harness, states, write_config
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(1800)]

INTO_S = {"Images": 1.0, "First control plane": 3.0, "Join workers": 1.0}


@pytest.mark.parametrize("step", INTO_S)
def test_an_interrupted_run_is_aborted_and_leaves_nothing(
    step: str, host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    harness = lab_harness(tmp_path, hosts)
    process = harness.start("run", write_config(tmp_path, hosts), "--log-format", "plain")
    assert process.stderr

    for line in process.stderr:
        if line.rstrip().endswith(f"Up: {step} ..."):
            time.sleep(INTO_S[step])
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=300)

    told = [line.partition("Z ")[2].strip() for line in err.splitlines()]
    said = "signal 2: stopping; a second signal skips the dump, a third leaves at once"
    assert (process.returncode, said in told, "ABORTED" in told, "Traceback" in err) == (130, True, True, False), err
    assert [str(failure) for failure in harness.state().failures] == ["Up: stopped by signal 2"]
    finished = json.loads(next((tmp_path / "_results").rglob("finished.json")).read_text(encoding="utf-8"))
    assert (finished["result"], finished["passed"]) == ("ABORTED", False)
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)
