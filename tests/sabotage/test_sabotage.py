"""The suite can fail: with a part of the cluster switched off, exactly the cases that depend on it turn red."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from providers.contracts import Binaries
from tests.support.cluster import running_cluster
from tests.support.sabotages import SABOTAGES, SAMPLE, Sabotage

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "e2e/suite"
WORKERS = "8"


def run_suite(cluster_file: Path, *args: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run the suite as its runner does."""
    argv: Sequence[str] = (
        *(sys.executable, "-m", "pytest", str(SUITE), "-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE)),
        *("--e2e-cluster", str(cluster_file), "-q", *args),
    )
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)


def depends(cluster_file: Path, folder: Path, *args: str) -> dict[str, list[str]]:
    """Return what each case of the suite depends on, by title."""
    listing = folder / "depends.json"
    done = run_suite(
        cluster_file,
        *("--collect-only", "-p", "tests.support.depends_listing", "--depends-file", str(listing), *args),
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
    ("sabotage", "select"),
    [
        *(pytest.param(each, "not slow", id=each.part) for each in SABOTAGES if each.part in SAMPLE),
        *(pytest.param(each, "", id=f"{each.part}-all-cases", marks=pytest.mark.full) for each in SABOTAGES),
    ],
)
def test_exactly_the_dependent_cases_turn_red(
    sabotage: Sabotage, select: str, binaries: Binaries, tmp_path: Path
) -> None:
    facts, events = tmp_path / "c1.json", tmp_path / "events.jsonl"
    with running_cluster(tmp_path / "c1", binaries, sabotage.settings) as running:
        facts.write_text(json.dumps(running.cluster.to_json()))
        needed = depends(facts, tmp_path, "-m", select)
        run_suite(
            facts,
            *("-m", select, "-n", WORKERS, "--e2e-events", str(events), "--e2e-gone-within", "0"),
            timeout_s=600,
        )
    ended = statuses(events)

    red = {name for name, status in ended.items() if status == "failed"}
    off = {sabotage.part, *sabotage.useless}
    dependent = {name for name, parts in needed.items() if off & set(parts) and ended[name] != "skipped"}
    assert dependent
    assert sorted(red - dependent) == [], "these failed and do not say that they depend on it"
    assert sorted(dependent - red) == [], "these say that they depend on it and did not notice"
    assert set(ended) == set(needed)
