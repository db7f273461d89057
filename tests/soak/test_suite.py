"""The suite twice on one kept cluster, in a new random order each time, again and again: no case may fail."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.lifecycle.tester_pytest import PYTEST, SUITE
from providers.releases.programs import PROGRAMS
from providers.releases.sources import sources_from_env
from tests.support.cluster import binaries
from tests.support.harness import Harness

__all__ = ["binaries"]

ROOT = Path(__file__).parents[2]
NOBODY = 65534
TIMES = 2
WORKERS = 8
SUITE_S = 900.0
COMMAND_S = 300.0
# nobody may not look into root's home, where Python or the checkout may lie; all else a plain user has is taken away
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all,+dac_read_search"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
)


@dataclass(frozen=True)
class Person:
    """Who runs everything: ``prefix`` stands before each command."""

    harness: Harness
    prefix: tuple[str, ...]

    def run(self, *argv: str | Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, *map(str, argv)],
            cwd=self.harness.home,
            env=self.harness.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def e2e(self, *argv: str | Path) -> str:
        done = self.run(sys.executable, "-P", "-m", "e2e", *argv, timeout_s=COMMAND_S)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@dataclass(frozen=True)
class Pass:
    """One pass of the suite."""

    seed: int
    seconds: float
    statuses: Counter[str]
    failed: tuple[str, ...]

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        return f"seed {self.seed}: {counts} in {self.seconds:.0f} s, load {os.getloadavg()[0]:.1f}"


@pytest.fixture(params=["this-user", "unprivileged-user"])
def person(request: pytest.FixtureRequest, harness: Harness) -> Person:
    cache = sources_from_env(os.environ).cache
    harness.variables["E2E_CACHE_DIR"] = str(cache)
    harness.variables["PYTHONPATH"] += f"{os.pathsep}{ROOT}"
    if request.param == "this-user":
        return Person(harness, ())
    if os.geteuid() != 0:
        pytest.skip("this user is an unprivileged one")
    if not shutil.which(AS_NOBODY[0]):
        pytest.skip(f"{AS_NOBODY[0]} of util-linux is missing")
    harness.write_job(tester="pytest")
    own = harness.home / "cache"
    for name in PROGRAMS:  # what is cached is its owner's alone
        shutil.copytree(cache / name, own / name)
    for path in (harness.home, *harness.home.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    harness.variables["E2E_CACHE_DIR"] = str(own)
    return Person(harness, AS_NOBODY)


def run_suite(person: Person, facts: Path, seed: int, select: str) -> Pass:
    """Run the suite on a cluster that is up, in the order of a seed."""
    home = person.harness.home
    events = home / f"{seed}.jsonl"
    began = time.monotonic()
    done = person.run(
        *(*PYTEST, SUITE, "-c", SUITE / "pytest.ini", "--rootdir", SUITE, "-q", "-m", select, "-n", str(WORKERS)),
        *("-p", "randomly", f"--randomly-seed={seed}", "--e2e-cluster", facts, "--e2e-events", events),
        *("--e2e-evidence", home / f"failures-{seed}", "--basetemp", home / f"scratch-{seed}"),
        timeout_s=SUITE_S,
    )
    seconds = time.monotonic() - began
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = map(json.loads, events.read_text().splitlines())
    ended = {line["name"]: str(line["status"]) for line in lines if line["event"] == "finished"}
    failed = sorted(name for name, status in ended.items() if status == "failed")
    if failed:
        print(done.stdout[-20_000:])
    return Pass(seed, seconds, Counter(ended.values()), tuple(failed))


def on_one_cluster(person: Person, job: Path, seeds: Iterable[int], run: Callable[[Path, int], Pass]) -> list[Pass]:
    """Bring a cluster up, run the suite once for each seed, take it down."""
    name = person.e2e("up", job)
    try:
        facts = person.harness.state_dir / "runs" / name / "cluster" / "c1.json"
        return [run(facts, seed) for seed in seeds]
    finally:
        person.e2e("down", name)


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.usefixtures("binaries")
def test_suite_in_any_order_twice_on_one_cluster(
    person: Person, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = pytestconfig.getoption("--soak-seed") or secrets.randbelow(2**32)
    chance, select = random.Random(seed), pytestconfig.getoption("--soak-select")
    job = person.harness.home / "fake.yaml"
    if not job.exists():
        person.harness.write_job(tester="pytest")
    passes: list[Pass] = []

    def run(facts: Path, seed: int) -> Pass:
        ended = run_suite(person, facts, seed, select)
        with capsys.disabled():
            print(f"\n  {ended}", *(f"\n    failed: {name}" for name in ended.failed), end="")
        return ended

    for _ in range(pytestconfig.getoption("--soak-clusters")):
        passes += on_one_cluster(person, job, [chance.randrange(2**32) for _ in range(TIMES)], run)

    assert [f"{name} (seed {each.seed})" for each in passes for name in each.failed] == []
    assert len({each.statuses["passed"] for each in passes}) == 1
    assert passes[0].statuses["passed"] > 0
    assert person.harness.strays() == []
