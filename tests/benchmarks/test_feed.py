"""Collecting a federation for the first time and again: builds a second, requests a build, memory, growth with history.

The builds lie in folders, in memory where the machine has ``/dev/shm``, so that what is measured is ours. Equal documents are
links to one file. Each collect is a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SHM = Path("/dev/shm")
JOBS = 50
DAYS = 90
CASES = 200
LARGEST_GROWTH = 1.3
NOW_S = int(time.time())
FAILURE = "<failure>" + "e2e/suite/test_apps.py:41: not ready after 120 s\n" * 20 + "</failure>"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one collect took."""

    settled: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    requests: int
    bytes: int


class Bucket:
    """A bucket whose jobs have builds at equal distances over the last days."""

    def __init__(self, root: Path, *, builds: int, cases: int) -> None:
        self.root = root
        self._sources = root / "sources"
        self._sources.mkdir(parents=True)
        (self._sources / "log").write_text("log\n" * 100)
        tests = "".join(
            f'<testcase name="[sig-apps] Deployment should do number {n} [Conformance]" classname="e2e" time="{n}.5">'
            f"{FAILURE if n % 100 == 7 else ''}</testcase>"
            for n in range(cases)
        )
        (self._sources / "junit").write_text(f'<testsuite tests="{cases}">{tests}</testsuite>')
        per_job = builds // JOBS
        for index in range(per_job):
            self.add(NOW_S - 7200 - (per_job - index) * (DAYS * 86_400 // per_job))

    def add(self, started_s: int) -> None:
        """Give each job one more build."""
        number = f"{datetime.fromtimestamp(started_s, UTC):%Y%m%d%H%M%S}"
        for name in ("started", "finished"):
            document = {"timestamp": started_s, "passed": True, "result": "SUCCESS", "version": "v1.36.3"}
            (self._sources / f"{name}{number}").write_text(json.dumps(document))
        for job in range(JOBS):
            folder = self.root / f"logs/ci-kubernetes-e2e-{job:03}/{number}"
            (folder / "artifacts").mkdir(parents=True)
            os.link(self._sources / f"started{number}", folder / "started.json")
            os.link(self._sources / f"finished{number}", folder / "finished.json")
            os.link(self._sources / "log", folder / "build-log.txt")
            os.link(self._sources / "junit", folder / "artifacts/junit_01.xml")
            (folder.parent / "latest-build.txt").write_text(number)

    def collect(self, warehouse: Path) -> Cost:
        """Collect what is new."""
        listed = self.root / "buckets.yaml"
        listed.write_text(f'{(self.root / "logs").as_uri()}/:\n  prefix: "b:"\n  sequential: false\n')
        argv = [sys.executable, "-m", "e2e", "feed", "collect", str(listed), "--warehouse", str(warehouse)]
        began = time.monotonic()
        with subprocess.Popen(
            [*argv, "--history", "100000", "--timeout", "7200", "--format", "json"], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout
            report = json.loads(process.stdout.read())
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        (bucket,) = report["buckets"]
        wall_s, cpu_s = time.monotonic() - began, used.ru_utime + used.ru_stime
        return Cost(bucket["settled"], wall_s, cpu_s, used.ru_maxrss / 1000, bucket["requests"], bucket["bytes"])


@pytest.fixture
def memory() -> Iterator[Path]:
    with TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.timeout(7200)
def test_first_and_incremental_collect(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    builds = pytestconfig.getoption("--feed-builds")
    bucket = Bucket(memory / "bucket", builds=builds, cases=CASES)
    first = bucket.collect(tmp_path / "warehouse")
    for minute in range(4):
        bucket.add(NOW_S - 3600 + minute * 60)
    more = bucket.collect(tmp_path / "warehouse")
    idle = bucket.collect(tmp_path / "warehouse")
    size_mb = sum(file.stat().st_size for file in (tmp_path / "warehouse").rglob("*.parquet")) / 1e6

    assert (first.settled, more.settled, idle.settled) == (builds, 4 * JOBS, 0)
    assert more.requests / more.settled <= 4 + 1  # a build's objects and a list
    with capsys.disabled():
        for what, cost in (("first", first), ("incremental", more), ("idle", idle)):
            rate = f"{cost.settled / cost.wall_s:.0f} builds/s, {cost.settled / cost.cpu_s:.0f} per CPU second"
            print(
                f"\n{what} collect of {cost.settled} builds with {CASES} cases: {cost.wall_s:.1f} s ({rate}), "
                f"{cost.requests / max(cost.settled, 1):.2f} requests a build, peak {cost.peak_mb:.0f} MB",
                end="",
            )
        print(f"\nthe warehouse: {size_mb:.1f} MB for {builds + 4 * JOBS} builds")


@pytest.mark.timeout(7200)
def test_growth_with_history(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    costs: dict[int, Cost] = {}
    for known in pytestconfig.getoption("--feed-known"):
        bucket, warehouse = Bucket(memory / "bucket", builds=known, cases=2), tmp_path / str(known)
        assert bucket.collect(warehouse).settled == known
        bucket.add(NOW_S - 3600)
        costs[known] = bucket.collect(warehouse)
        shutil.rmtree(memory / "bucket")

    smallest = costs[min(costs)]
    with capsys.disabled():
        for known, cost in costs.items():
            print(
                f"\nincremental collect of {cost.settled} builds at {known} known ones: {cost.requests} requests, "
                f"{cost.bytes} bytes, {cost.wall_s:.2f} s, CPU {cost.cpu_s:.2f} s, peak {cost.peak_mb:.0f} MB",
                end="",
            )
        print()
    for cost in costs.values():
        assert cost.settled == JOBS
        assert cost.requests <= LARGEST_GROWTH * smallest.requests
        assert cost.bytes <= LARGEST_GROWTH * smallest.bytes
