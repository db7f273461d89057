"""Checking a bucket over the wire: how much is asked of it, what strangers may do, and what only a bucket keeps."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fault_proxy import Act, FaultProxy
from tests.support.gcs import Bucket
from upload.claim import claim
from upload.documents import Started
from upload.layout import NO_CACHE, pull_prefix
from upload.model import BuildRef, Put
from upload.verify import verify

JOB = "ci-kubernetes-e2e-mine"
FOLDER = f"logs/{JOB}"
NOW_S = 1784700000
BUILDS = 50  # the fake server lists in time that grows with all its objects
STARTED = {"timestamp": NOW_S, "node": "n", "version": "v1"}
FINISHED = {"timestamp": NOW_S + 1, "passed": True, "result": "SUCCESS", "version": "v1", "metadata": {}}
JUNIT = '<testsuite tests="1" failures="0" time="1"><testcase name="[sig-apps] a" classname="c" time="1"/></testsuite>'


def put(bucket: Bucket, path: str, content: object, **rest: str) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    bucket.store().put(replace(Put(path, body, "text/plain"), **rest))  # type: ignore[arg-type]  # keywords of Put


def put_build(bucket: Bucket, number: int, junit: bytes = JUNIT.encode(), **rest: str) -> None:
    put(bucket, f"{FOLDER}/{number}/started.json", STARTED)
    put(bucket, f"{FOLDER}/{number}/artifacts/junit_01.xml", junit, **rest)
    put(bucket, f"{FOLDER}/{number}/artifacts/huge.log", b"never read")
    put(bucket, f"{FOLDER}/{number}/build-log.txt", b"never read")
    put(bucket, f"{FOLDER}/{number}/finished.json", FINISHED)


def put_latest(bucket: Bucket, number: int) -> None:
    put(bucket, f"{FOLDER}/latest-build.txt", f"{number}\n".encode(), cache_control=NO_CACHE)


def test_builds_are_checked_with_four_requests_each(bucket: Bucket, faults: FaultProxy) -> None:
    numbers = range(20260722000000, 20260722000000 + BUILDS)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put_build(bucket, number), numbers))
    put_latest(bucket, numbers[-1])

    report = verify(replace(bucket, endpoint=faults.url).store(), now_s=NOW_S)

    assert (report.findings, report.builds, report.objects) == ((), BUILDS, 5 * BUILDS + 1)
    of_builds = faults.requests(
        lambda r: f"{FOLDER}/2026" in r.object or f"{FOLDER}/2026" in str(r.query.get("prefix"))
    )
    read = sorted({exchange.request.object.rsplit("/", 1)[-1] for exchange in of_builds})
    assert read == ["", "finished.json", "junit_01.xml", "started.json"]
    assert len(of_builds) <= 4 * BUILDS + 1
    assert len(faults.log) - len(of_builds) <= 20


@pytest.mark.slow
@pytest.mark.rule("junit.size")
def test_file_that_unfolds_beyond_the_readers_limit_is_found_in_bounded_memory(bucket: Bucket) -> None:
    bomb = JUNIT.encode() + b" " * 100_000_000  # 97 kB as stored
    for number in range(20260722000000, 20260722000002):
        put_build(bucket, number, bomb, content_encoding="gzip")
    del bomb
    put_latest(bucket, 20260722000001)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    report = verify(bucket.store(), now_s=NOW_S)

    assert [f.rule for f in report.findings] == ["junit.size"] * 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 250_000


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("rule", "denied"),
    [
        pytest.param("bucket.list", lambda r: r.path.endswith("/o"), marks=pytest.mark.rule("bucket.list")),
        pytest.param("bucket.read", lambda r: "/o/" in r.path, marks=pytest.mark.rule("bucket.read")),
    ],
    ids=["list", "read"],
)
def test_bucket_that_strangers_cannot_use_is_found(
    bucket: Bucket, faults: FaultProxy, status: int, rule: str, denied: object
) -> None:
    put_build(bucket, 20260722000000)
    put_latest(bucket, 20260722000000)
    faults.add(Act.ANSWER, denied, times=9, status=status)  # type: ignore[arg-type]  # of the table
    strangers = replace(bucket, endpoint=faults.url).store()

    findings = verify(bucket.store(), now_s=NOW_S, public=strangers).findings

    assert [f.rule for f in findings] == [rule]


def test_bucket_that_strangers_can_use_is_good(bucket: Bucket) -> None:
    put_build(bucket, 20260722000000)
    put_latest(bucket, 20260722000000)

    assert verify(bucket.store(), now_s=NOW_S, public=bucket.store()).findings == ()


@pytest.mark.rule("alias.link")
def test_alias_without_the_metadata_that_testgrid_follows_is_found(bucket: Bucket) -> None:
    started = Started(NOW_S, "node", "v1")
    good = claim(bucket.store(), BuildRef(pull_prefix("org_repo/7"), JOB, ""), started, now_s=NOW_S)
    bad = replace(good, number="20260722070000")
    folder = f"{bad.prefix}/{JOB}/{bad.number}"
    put(bucket, f"{folder}/started.json", STARTED)
    put(bucket, f"pr-logs/directory/{JOB}/{bad.number}.txt", f"{bucket.uri}/{folder}".encode())

    findings = verify(bucket.store(), now_s=NOW_S).findings

    assert [(f.rule, f.what) for f in findings if f.rule != "finished.missing"] == [
        ("alias.link", f"its metadata 'link' is not '{bucket.uri}/{folder}'")
    ]


@pytest.mark.slow
def test_store_that_nobody_answers_for_is_said_at_once_and_given_up_soon(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}

    done = subprocess.run(
        [sys.executable, "-m", "e2e", "verify", "gs://nowhere-at-all"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    first = done.stderr.splitlines()[0]
    assert (done.returncode, first) == (4, "e2e: gs://nowhere-at-all/: ConnectionError; trying again for 20 s")
    assert "try: is there a network, and a proxy to be named in HTTPS_PROXY?" in done.stderr
