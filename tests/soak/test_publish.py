"""Hundreds of publishes with random faults, killed at random moments: whatever happened, readers find whole builds only."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.fault_proxy import Act, FaultProxy, Request
from tests.support.gcs import Bucket, publish_argv
from upload.documents import parse_latest
from upload.results_cache import parse_cache
from upload.store import Stored
from upload.verify import verify

JOB = "ci-kubernetes-e2e-soak"
PUBLISHERS = 4
MOST_TRIES = 8
ONE_S = 120.0
FAULTY = (
    Act.CUT_BEFORE,
    Act.RESET_BEFORE,
    Act.CUT_AFTER,
    Act.TRUNCATE,
    Act.BREAK,
    Act.ANSWER,
    Act.CLOSE_IDLE,
    Act.STALL,
    Act.CUT_MIDDLE,
)


@dataclass(slots=True)
class Chance:
    """One seeded chance for all threads. ``kills``: how often a publisher was killed."""

    seed: int
    random: random.Random = field(init=False)
    kills: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)


def faults_at_random(proxy: FaultProxy, chance: Chance) -> None:
    """Have one request in twelve fail in some way."""

    def rule(act: Act) -> Callable[[Request], bool]:
        return lambda _request: chance.random.random() < 1 / 12 / len(FAULTY)

    for act in FAULTY:
        status = chance.random.choice((408, 429, 500, 502, 503, 504))
        proxy.add(act, rule(act), times=10**9, status=status, seconds=0.3)


def make_folder(place: Path, chance: Chance) -> Path:
    place.mkdir()
    (place / "junit_01.xml").write_text('<testsuite><testcase classname="c" name="t" time="1"/></testsuite>')
    (place / "build-log.txt").write_text("log\n" * chance.random.randint(1, 20_000))
    for number in range(chance.random.randint(1, 12)):
        (place / f"{number}.log").write_bytes(chance.random.randbytes(chance.random.randint(1, 60_000)))
    return place


def publish(number: int, folder: Path, bucket: Bucket, proxy: FaultProxy, chance: Chance) -> None:
    """Publish one build, as often as it takes; the first tries may be killed."""
    argv = publish_argv(folder, JOB, bucket)
    argv += ["--build", str(20260722060000 + number), "--version", "v1.36.3"]
    env = os.environ | {"STORAGE_EMULATOR_HOST": proxy.url, "E2E_STATE_DIR": f"{folder}-state"}
    for attempt in range(MOST_TRIES):
        with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            if attempt < MOST_TRIES // 2 and chance.random.random() < 0.5:
                time.sleep(chance.random.uniform(0.5, 5.0))
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    chance.kills += 1
            _, said = process.communicate(timeout=ONE_S)
        if process.returncode == 0:
            return
        assert process.returncode == -signal.SIGKILL, said.decode()
    raise AssertionError(f"build {number} was not published in {MOST_TRIES} tries")


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_every_build_is_whole_and_none_is_lost(
    bucket: Bucket,
    faults: FaultProxy,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = request.config.getoption("--soak-publishes")
    chance = Chance(request.config.getoption("--soak-seed") or secrets.randbelow(10**6) + 1)
    with capsys.disabled():
        print(f"\nsoak: {count} publishes, seed {chance.seed}")
    folders = [make_folder(tmp_path / str(number), chance) for number in range(count)]
    faults_at_random(faults, chance)
    began = time.monotonic()

    with ThreadPoolExecutor(PUBLISHERS) as pool:
        list(pool.map(lambda n: publish(n, folders[n], bucket, faults, chance), range(count)))

    acts = Counter(each.act.name for each in faults.log)
    with capsys.disabled():
        print(
            f"soak: {time.monotonic() - began:.0f} s, {len(faults.log)} requests, {chance.kills} killed, {dict(acts)}"
        )
    store = bucket.store()
    expected = [str(20260722060000 + number) for number in range(count)]
    cache = parse_cache((store.read(f"logs/{JOB}/jobResultsCache.json") or Stored(b"", 0)).body)
    assert [entry["buildnumber"] for entry in cache.entries if isinstance(entry, dict)] == expected
    latest = parse_latest((store.read(f"logs/{JOB}/latest-build.txt") or Stored(b"", 0)).body)
    assert latest == expected[-1]
    assert verify(store, now_s=int(time.time())).findings == ()
    check_order(faults, expected)


def check_order(faults: FaultProxy, builds: list[str]) -> None:
    """Assert from the requests that nothing of a build was written after its finished.json, which was written once."""
    writes = faults.writes()
    for build in builds:
        folder = f"logs/{JOB}/{build}/"
        own = [path.removeprefix(folder) for path in writes if path.startswith(folder)]
        assert (own[0], own[-1], own.count("finished.json")) == ("started.json", "finished.json", 1)
        assert len(own) == len(set(own))
