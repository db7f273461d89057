from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2e.suite.containers import RUN, Pods, once, shell

pytestmark = [pytest.mark.sig("node"), pytest.mark.requires("pods-run"), pytest.mark.needs(*RUN)]

Eventually = Callable[..., Any]
MIB = 1024**2

# what the kernel was told, read where the container sees it: cgroup v2, else v1
READ_CGROUP = """
cd /sys/fs/cgroup
if test -e cgroup.controllers; then
    set -- $(cat cpu.max); echo "quota $1 $2"; echo "memory $(cat memory.max)"; echo "weight $(cat cpu.weight)"
else
    echo "quota $(cat cpu/cpu.cfs_quota_us) $(cat cpu/cpu.cfs_period_us)"
    echo "memory $(cat memory/memory.limit_in_bytes)"; echo "shares $(cat cpu/cpu.shares)"
fi
"""


def cgroup(written: str) -> dict[str, list[str]]:
    """Return what ``READ_CGROUP`` wrote, by name."""
    return {name: values for name, *values in map(str.split, written.splitlines())}


def weights(found: dict[str, list[str]]) -> int:
    """Return the share of the processor in either version's measure."""
    return int(found.get("shares", found.get("weight", ["0"]))[0])


@pytest.mark.cite("docs/concepts/configuration/manage-resources-containers#how-pods-with-resource-limits-are-run")
def test_limits_reach_the_kernel(pods: Pods) -> None:
    """Container should get its limits of processor and memory from the kernel."""
    resources = {"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "10m", "memory": "16Mi"}}
    found = cgroup(pods.output(once("a", shell(READ_CGROUP, resources=resources))))

    quota, period = map(int, found["quota"])
    assert (quota / period, found["memory"]) == (0.2, [str(64 * MIB)])


@pytest.mark.cite("docs/concepts/configuration/manage-resources-containers#how-pods-with-resource-limits-are-run")
def test_requests_are_shares_of_the_processor(pods: Pods) -> None:
    """Container that requests more of the processor should get a larger share, and no limit."""
    few, many = (shell(READ_CGROUP, name=f"c{m}", resources={"requests": {"cpu": f"{m}m"}}) for m in (10, 100))
    pods.create(once("a", few, many))
    pods.end("a", phase="Succeeded")
    found = [cgroup(pods.log("a", name)) for name in ("c10", "c100")]

    assert weights(found[0]) < weights(found[1])
    assert {each["quota"][0] for each in found} <= {"max", "-1"}


@pytest.mark.cite("docs/concepts/configuration/manage-resources-containers#exceeding-memory-limit")
def test_memory_beyond_the_limit(pods: Pods) -> None:
    """Container that takes more memory than its limit should be killed, the one beside it should not."""
    greedy = shell("tail /dev/zero", name="greedy", resources={"limits": {"memory": "32Mi"}})
    pods.create(once("a", greedy, shell("sleep 1", name="modest")))
    pods.end("a", phase="Failed")

    ended = {name: pods.container("a", name).state for name in ("greedy", "modest")}
    seen = {n: (s.terminated.exitCode, s.terminated.reason) for n, s in ended.items() if s and s.terminated}
    assert seen == {"greedy": (137, "OOMKilled"), "modest": (0, "Completed")}


@pytest.mark.cite("docs/concepts/scheduling-eviction/node-pressure-eviction#node-out-of-memory-behavior")
@pytest.mark.parametrize(
    ("resources", "quality", "score"),
    [
        ({}, "BestEffort", range(1000, 1001)),
        ({"requests": {"memory": "16Mi"}}, "Burstable", range(2, 1000)),
        (
            {"limits": {"memory": "16Mi", "cpu": "100m"}},
            "Guaranteed",
            range(-997, 1),
        ),  # 0 where the runtime may not lower it
    ],
    ids=["best effort", "burstable", "guaranteed"],
)
def test_who_is_killed_first(pods: Pods, resources: dict[str, Any], quality: str, score: range) -> None:
    """Pod should be preferred by the kernel's choice of a victim by its quality of service."""
    told = int(pods.output(once("a", shell("cat /proc/self/oom_score_adj", resources=resources))))

    status = pods.get("a").status
    assert status
    assert (status.qosClass, told in score) == (quality, True), f"oom_score_adj is {told}, not in {score}"
