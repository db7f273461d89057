"""``kill -9`` of e2e in each action of kubeadm on real hosts, followed by ``up`` and by ``down``."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from providers.api import Api
from providers.kubeadm.actions import ACTIONS
from providers.kubeadm.join import TOKENS
from providers.releases.sources import PINNED
from tests.hosts.clusters import differences, lab_harness, states, write_config
from tests.support.harness import Harness
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(1800)]

STEPS = ("Take the machines", *(name for name, _ in ACTIONS))
UP_S = 600.0
EARLIER = "v1.35.4"
PARTS = ("kubeadm", "drain", "kubelet")
INTO_S = 0.4  # how far into an action it is killed
QUICK = {"Kubeconfig", "Join control planes", "Pod network", "Service network", "Take back the token"}


def begin(harness: Harness, ref: str | Path) -> subprocess.Popen[str]:
    return harness.start("up", ref, "--log-format", "plain")


def kill_in(process: subprocess.Popen[str], step: str) -> bool:
    """Kill a process in the middle of a step; say whether it was still there."""
    assert process.stderr
    for line in process.stderr:
        if line.rstrip().endswith(f": {step} ..."):
            time.sleep(0.0 if step in QUICK else INTO_S)
            process.send_signal(signal.SIGKILL)
            break
    _, rest = process.communicate(timeout=60)
    code = process.returncode
    assert code in (-signal.SIGKILL, 0), rest
    return code != 0


def test_an_upgrade_goes_on_after_it_was_killed_in_every_part(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    harness = lab_harness(tmp_path, hosts, EARLIER, PINNED)
    config = write_config(tmp_path, hosts, kubernetes=EARLIER, cluster={"upgrade_to": PINNED})
    ref: str | Path = config

    for host in ("h1", "h2"):
        for part in PARTS:
            if not kill_in(begin(harness, ref), f"Upgrade {host}: {part}"):
                raise AssertionError("it ended before it was killed")
            ref = harness.state().run
    done = harness.e2e("up", ref, timeout_s=UP_S)

    assert (done.code, harness.state().clusters) == (0, {"c1": "up"}), done.err
    kubeconfig = next(tmp_path.glob("state/**/kubeconfig"))
    with Api(kubeconfig) as api:
        nodes = [node for page in api.pages("/api/v1/nodes") for node in page]
        assert [node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes] == [PINNED, PINNED]
        assert [node for node in nodes if node["spec"].get("unschedulable")] == []
        assert api.get("/version")["gitVersion"] == PINNED
    assert harness.e2e("down", timeout_s=UP_S).code == 0
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)


def test_up_goes_on_after_it_was_killed_in_every_action(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    harness = lab_harness(tmp_path, hosts)
    ref: str | Path = write_config(tmp_path, hosts)

    for step in STEPS:
        if not kill_in(begin(harness, ref), step):
            break  # the last step ended before it was killed
        ref = harness.state().run
    done = harness.e2e("up", ref, timeout_s=UP_S)

    assert (done.code, harness.state().clusters) == (0, {"c1": "up"}), done.err
    with Api(next(tmp_path.glob("state/**/kubeconfig"))) as api:
        assert [secret for page in api.pages(TOKENS) for secret in page] == [], "no killed call left a token"
    assert harness.e2e("down", timeout_s=UP_S).code == 0
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)


@pytest.mark.parametrize("step", STEPS)
def test_down_cleans_up_after_a_kill(step: str, host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    harness = lab_harness(tmp_path, hosts)
    kill_in(begin(harness, write_config(tmp_path, hosts)), step)

    down = harness.e2e("down", timeout_s=UP_S)

    assert down.code == 0, down.err
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)
