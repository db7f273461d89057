"""Whole publishes into a bucket through the fault proxy; its log is the witness of order and of what was sent twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fault_proxy import Act, Exchange, FaultProxy, Request
from tests.support.gcs import IMPATIENT, Bucket, publish_argv
from upload.censor import Censor
from upload.documents import parse_latest
from upload.errors import ResultsError, StoreError
from upload.layout import NO_CACHE
from upload.model import BuildRef, Put
from upload.publish_folder import FolderRequest, publish_folder
from upload.results_cache import parse_cache
from upload.store import Store, Stored
from upload.verify import verify

JOB = "ci-kubernetes-e2e-mine"
NOW_S = 1784700000  # 2026-07-22 06:00:00 UTC
BUILD = f"logs/{JOB}/20260722060000"
FILES = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "junit_01.xml").write_text('<testsuite><testcase classname="c" name="t" time="1"/></testsuite>')
    (folder / "build-log.txt").write_text("log\n" * 10_000)
    for number in range(FILES):
        (folder / f"{number:02}.log").write_bytes(os.urandom(2000))
    return folder


def publish(folder: Path, store: Store, state: Path, number: str = "") -> None:
    request = FolderRequest(folder, BuildRef("logs", JOB, number), "node", NOW_S, "v1.36.3")
    publish_folder(request, store, censor=Censor(), state=state)


def body(store: Store, path: str) -> bytes:
    return (store.read(path) or Stored(b"", 0)).body


def check_complete(store: Store, number: str = "20260722060000") -> None:
    assert verify(store, now_s=NOW_S).findings == ()
    assert parse_latest(body(store, f"logs/{JOB}/latest-build.txt")) == number
    entries = parse_cache(body(store, f"logs/{JOB}/jobResultsCache.json")).entries
    assert [entry["buildnumber"] for entry in entries if isinstance(entry, dict)] == [number]


@pytest.mark.rule("latest.headers")
def test_published_build_breaks_no_rule_and_latest_without_headers_does(
    folder: Path, bucket: Bucket, tmp_path: Path
) -> None:
    store = bucket.store()
    publish(folder, store, tmp_path / "state")

    check_complete(store)
    path = f"logs/{JOB}/latest-build.txt"
    stat = store.stat(path)
    assert stat is not None
    assert (stat.content_type, stat.cache_control) == ("text/plain", NO_CACHE)
    store.put(Put(path, b"20260722060000\n", "application/json"), replaces=stat.generation)
    assert {f.rule for f in verify(store, now_s=NOW_S).findings} == {"latest.headers"}


def test_requests_of_a_publish_are_in_the_order_readers_rely_on(
    folder: Path, bucket: Bucket, faults: FaultProxy, tmp_path: Path
) -> None:
    publish(folder, replace(bucket, endpoint=faults.url).store(), tmp_path / "state")

    writes = faults.writes()
    assert writes[0] == f"{BUILD}/started.json"
    assert {path.startswith(f"{BUILD}/artifacts/") for path in writes[1:-4]} == {True}
    assert writes[-4:] == [
        f"{BUILD}/build-log.txt",
        f"{BUILD}/finished.json",
        f"logs/{JOB}/jobResultsCache.json",
        f"logs/{JOB}/latest-build.txt",
    ]
    assert len(writes) == len(set(writes))


@pytest.mark.parametrize("act", [Act.CUT_AFTER, Act.TRUNCATE, Act.CUT_BEFORE, Act.ANSWER], ids=lambda a: a.name)
def test_publish_through_a_bad_network_is_complete_and_nothing_is_stored_twice(
    act: Act, folder: Path, bucket: Bucket, faults: FaultProxy, tmp_path: Path
) -> None:
    seen = iter(range(10**6))
    faults.add(act, lambda _request: next(seen) % 3 == 1, times=10**6)

    publish(folder, replace(bucket, endpoint=faults.url).store(), tmp_path / "state")

    check_complete(bucket.store())
    assert len(faults.writes()) == len(set(faults.writes())) == FILES + 8


def test_finished_is_never_there_when_an_artifact_could_not_be_stored(
    folder: Path, bucket: Bucket, faults: FaultProxy, tmp_path: Path
) -> None:
    def is_one_artifact(request: Request) -> bool:
        return request.is_upload and request.object.endswith("/07.log")

    faults.add(Act.ANSWER, is_one_artifact, times=99, status=412, body=b"{}")

    store = replace(bucket, endpoint=faults.url).store()
    with pytest.raises(ResultsError):
        publish(folder, store, tmp_path / "state")
    assert not [p for p in faults.writes() if p.endswith(("finished.json", "jobResultsCache.json", "latest-build.txt"))]

    faults.faults.clear()
    publish(folder, store, tmp_path / "state")
    check_complete(bucket.store())
    assert faults.writes().count(f"{BUILD}/artifacts/08.log") == 1


def test_refused_credentials_end_a_publish_after_a_few_requests(
    folder: Path, bucket: Bucket, faults: FaultProxy, tmp_path: Path
) -> None:
    faults.add(Act.ANSWER, lambda r: "/artifacts/" in r.object, times=999, status=403, body=b"{}")

    with pytest.raises(StoreError) as caught:
        publish(folder, replace(bucket, endpoint=faults.url).store(), tmp_path / "state")
    assert caught.value.status == 403
    assert len(faults.requests(lambda r: "/artifacts/" in r.object)) <= 16


@pytest.mark.slow
@pytest.mark.parametrize(
    "after",
    [
        pytest.param(2, id="first", marks=pytest.mark.full),
        pytest.param(12, id="middle", marks=pytest.mark.full),
        pytest.param(FILES + 5, id="log", marks=pytest.mark.full),
        pytest.param(FILES + 6, id="finished"),
    ],
)
def test_publish_killed_with_sigkill_goes_on_where_it_was(
    after: int, folder: Path, bucket: Bucket, faults: FaultProxy, tmp_path: Path
) -> None:
    faults.add(Act.STALL, lambda r: r.is_upload and len(faults.writes()) >= after, times=9, seconds=3.0)
    argv = [*publish_argv(folder, JOB, bucket), "--version", "v1"]
    env = os.environ | {"STORAGE_EMULATOR_HOST": faults.url, "E2E_STATE_DIR": str(tmp_path / "state")}
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while len(faults.writes()) < after and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    time.sleep(0.3)  # what the server had in hand is done
    faults.faults.clear()
    before = set(faults.writes())
    sent_before = len(faults.log)

    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    number = next(path for path in before if path.endswith("started.json")).split("/")[-2]
    check_complete(bucket.store(), number)
    again = [e.request.object for e in faults.log[sent_before:] if e.request.is_upload]
    assert not any(path.endswith("started.json") for path in again)
    assert len(before & set(again)) <= 8  # what was in the hands of the eight workers, and no more
    assert faults.writes().count(f"logs/{JOB}/{number}/finished.json") == 1


@pytest.mark.parametrize(
    "act", [Act.PASS, Act.CUT_AFTER, Act.CUT_BEFORE, Act.TRUNCATE, Act.ANSWER], ids=lambda act: act.name
)
def test_eight_publishers_of_one_job_at_once_lose_no_entry(
    act: Act, bucket: Bucket, faults: FaultProxy, folder: Path, tmp_path: Path
) -> None:
    for file in folder.glob("*.log"):
        file.unlink()
    numbers = [str(20260722060000 + number) for number in range(8)]
    seen = iter(range(10**6))
    faults.add(act, lambda r: "/artifacts/" not in r.object and next(seen) % 4 == 1, times=10**6, status=429)

    with ThreadPoolExecutor(8) as pool:
        store = replace(bucket, endpoint=faults.url).store(patience=replace(IMPATIENT, operation_s=30.0))
        list(pool.map(lambda n: publish(folder, store, tmp_path / n, n), reversed(numbers)))

    plain = bucket.store()
    entries = parse_cache(body(plain, f"logs/{JOB}/jobResultsCache.json")).entries
    assert [entry["buildnumber"] for entry in entries if isinstance(entry, dict)] == numbers
    assert parse_latest(body(plain, f"logs/{JOB}/latest-build.txt")) == numbers[-1]
    assert verify(plain, now_s=NOW_S).findings == ()
    newest = [int(each.request.body.split(b"\r\n\r\n")[2][:14]) for each in latest_writes(faults)]
    assert newest == sorted(newest)


def latest_writes(faults: FaultProxy) -> list[Exchange]:
    """The writes of latest-build.txt that the server took, in order."""
    return [
        each
        for each in faults.log
        if each.status == 200 and each.request.is_upload and each.request.object.endswith("latest-build.txt")
    ]


@pytest.mark.slow
def test_eight_processes_that_publish_one_job_at_once_lose_no_entry(
    bucket: Bucket, faults: FaultProxy, folder: Path, tmp_path: Path
) -> None:
    env = os.environ | {"STORAGE_EMULATOR_HOST": faults.url}
    running = []
    for number in range(8):
        argv = publish_argv(folder, JOB, bucket)
        argv += ["--build", str(20260722060000 + number), "--version", "v1"]
        own = env | {"E2E_STATE_DIR": str(tmp_path / str(number))}
        running.append(subprocess.Popen(argv, env=own, stdout=subprocess.DEVNULL))

    assert [process.wait(120) for process in running] == [0] * 8

    entries = parse_cache(body(bucket.store(), f"logs/{JOB}/jobResultsCache.json")).entries
    expected = [str(20260722060000 + number) for number in range(8)]
    assert [entry["buildnumber"] for entry in entries if isinstance(entry, dict)] == expected
    assert parse_latest(body(bucket.store(), f"logs/{JOB}/latest-build.txt")) == expected[-1]
