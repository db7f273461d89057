"""``e2e run`` into a bucket, over the wire: what is there afterwards, in which order it came, and what is refused early."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace

import pytest

from tests.support.fault_proxy import Act, FaultProxy, Request
from tests.support.gcs import Bucket, bucket, faults, gcs_server
from tests.support.harness import JOB, Harness, kill
from upload.verify import verify

__all__ = ["bucket", "faults", "gcs_server"]


@pytest.fixture
def online(harness: Harness, faults: FaultProxy) -> Harness:
    """Return a harness whose ``gs://`` is the proxy."""
    return replace(harness, variables=harness.variables | {"STORAGE_EMULATOR_HOST": faults.url})


def test_run_is_published_whole_and_in_order(online: Harness, bucket: Bucket, faults: FaultProxy) -> None:
    done = online.e2e("run", online.write_job(), "--results", bucket.uri)

    assert done.code == 0, done.err
    state = online.state()
    build = f"logs/{JOB}/{state.build}"
    finished = bucket.store().read(f"{build}/finished.json")
    assert finished is not None
    assert json.loads(finished.body)["result"] == "SUCCESS"
    assert verify(bucket.store(), now_s=state.ended_s).findings == ()
    sent = faults.writes()
    assert sent[0] == f"{build}/started.json"
    assert sent[-3:] == [f"{build}/finished.json", f"logs/{JOB}/jobResultsCache.json", f"logs/{JOB}/latest-build.txt"]
    assert f"{bucket.uri}/{build}/" in done.err


@pytest.mark.slow
def test_log_is_in_the_bucket_while_the_run_goes_on(online: Harness, bucket: Bucket, faults: FaultProxy) -> None:
    process = online.start("run", online.write_job(suite="hang"), "--results", bucket.uri)
    until = time.monotonic() + 60
    while not any(path.endswith("/build-log.txt") for path in faults.writes()):
        assert time.monotonic() < until
        time.sleep(0.1)
    build = f"logs/{JOB}/{online.state().build}"
    meanwhile = bucket.store().read(f"{build}/build-log.txt")

    done = kill(process, signal.SIGTERM)

    final = bucket.store().read(f"{build}/build-log.txt")
    assert done.code == 130, done.err
    assert meanwhile is not None
    assert final is not None
    assert b"Passing should be done" in meanwhile.body
    assert final.body.startswith(meanwhile.body)
    assert b"ABORTED" in final.body
    writes = [path.removeprefix(f"{build}/") for path in faults.writes()]
    assert (writes[0], writes.index("build-log.txt") < writes.index("finished.json")) == ("started.json", True)
    assert writes.count("finished.json") == 1
    assert verify(bucket.store(), now_s=online.state().ended_s).findings == ()


def test_failing_store_in_the_middle_costs_nothing(online: Harness, bucket: Bucket, faults: FaultProxy) -> None:
    def finishes(request: Request) -> bool:
        return request.is_upload and request.object.endswith("/finished.json")

    faults.add(Act.ANSWER, finishes, times=2)
    faults.add(Act.CUT_AFTER, finishes)

    done = online.e2e("run", online.write_job(), "--results", bucket.uri)

    assert done.code == 0, done.err
    assert verify(bucket.store(), now_s=online.state().ended_s).findings == ()


@pytest.mark.parametrize(
    ("status", "said"),
    [pytest.param(403, "HTTP 403", id="forbidden"), pytest.param(404, "HTTP 404", id="no-such-bucket")],
)
def test_store_that_refuses_is_found_out_before_anything_is_made(
    online: Harness,
    bucket: Bucket,
    faults: FaultProxy,
    status: int,
    said: str,
) -> None:
    faults.add(Act.ANSWER, lambda request: request.is_upload, times=1000, status=status, body=b"{}")

    done = online.e2e("run", online.write_job(), "--results", bucket.uri)

    assert (done.code, online.folders(), online.strays()) == (4, [], [])
    assert said in done.err
    assert bucket.uri in done.err


def test_store_that_does_not_answer_is_named_before_anything_is_made(online: Harness, bucket: Bucket) -> None:
    nowhere = replace(online, variables=online.variables | {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:1"})

    done = nowhere.e2e("run", nowhere.write_job(timeouts={"publish": "7s"}), "--results", bucket.uri)

    assert (done.code, nowhere.folders(), nowhere.strays()) == (4, [], []), done.err
    assert f"e2e: {bucket.uri}/logs/{JOB}/latest-build.txt: " in done.err
    assert done.err.count("; trying again") == 1
