"""The suite can fail: with a part of the cluster switched off, exactly the cases that depend on it turn red."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from providers.contracts import Binaries
from providers.local import LocalSettings
from tests.support.cluster import running_cluster

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "e2e/suite"
WORKERS = "8"


@dataclass(frozen=True)
class Sabotage:
    """A part of the cluster that is switched off: ``part`` as ``depends(...)`` names it.

    ``useless``: parts that run and can do nothing without it.
    """

    part: str
    settings: LocalSettings
    useless: frozenset[str] = frozenset()


def without_controller(name: str, *useless: str) -> Sabotage:
    args = {"kube-controller-manager": {"args": {"controllers": f"*,-{name}"}}}
    return Sabotage(name, LocalSettings.model_validate({"components": args}), frozenset(useless))


def without_scheduler() -> Sabotage:
    return Sabotage(
        "kube-scheduler", LocalSettings.model_validate({"components": {"kube-scheduler": {"disabled": True}}})
    )


ALWAYS = [without_controller("replicaset-controller"), without_scheduler()]
FULL = [
    # new nodes keep the taint not-ready, so that no pod finds a place
    without_controller("node-lifecycle-controller", "kube-scheduler"),
    *(
        without_controller(name)
        for name in (
            "cronjob-controller",
            "daemonset-controller",
            "deployment-controller",
            "disruption-controller",
            "endpointslice-controller",
            "endpointslice-mirroring-controller",
            "garbage-collector-controller",
            "job-controller",
            "resourcequota-controller",
            "statefulset-controller",
            "taint-eviction-controller",
            "ttl-after-finished-controller",
        )
    ),
]


def run_suite(cluster_file: Path, *args: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run the suite as its runner does, without what is slow."""
    argv: Sequence[str] = (
        *(sys.executable, "-m", "pytest", str(SUITE), "-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE)),
        *("--e2e-cluster", str(cluster_file), "-m", "not slow", "-q", *args),
    )
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)


def depends(cluster_file: Path, folder: Path) -> dict[str, list[str]]:
    """Return what each case of the suite depends on, by title."""
    listing = folder / "depends.json"
    done = run_suite(
        cluster_file,
        *("--collect-only", "-p", "tests.support.depends_listing", "--depends-file", str(listing)),
        timeout_s=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(listing.read_text())
    assert isinstance(found, dict)
    return found


def statuses(events: Path) -> dict[str, str]:
    """Return how each case ended."""
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    return {line["name"]: line["status"] for line in lines if line["event"] == "finished"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "sabotage",
    [
        *(pytest.param(each, id=each.part) for each in ALWAYS),
        *(pytest.param(each, id=each.part, marks=pytest.mark.full) for each in FULL),
    ],
)
def test_exactly_the_dependent_cases_turn_red(sabotage: Sabotage, binaries: Binaries, tmp_path: Path) -> None:
    facts, events = tmp_path / "c1.json", tmp_path / "events.jsonl"
    with running_cluster(tmp_path / "c1", binaries, sabotage.settings) as running:
        facts.write_text(json.dumps(running.cluster.to_json()))
        needed = depends(facts, tmp_path)
        run_suite(facts, "-n", WORKERS, "--e2e-events", str(events), "--e2e-gone-within", "0", timeout_s=600)
    ended = statuses(events)

    red = {name for name, status in ended.items() if status == "failed"}
    off = {sabotage.part, *sabotage.useless}
    dependent = {name for name, parts in needed.items() if off & set(parts) and ended[name] != "skipped"}
    assert dependent
    assert sorted(red - dependent) == [], "these failed and do not say that they depend on it"
    assert sorted(dependent - red) == [], "these say that they depend on it and did not notice"
    assert set(ended) == set(needed)
