"""Signals and kills while the store is being talked to: in claim and in publish, as the other steps have them.

The proxy holds one request, so that the moment is the same each time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from providers.releases.sources import sources_from_env
from tests.support.cluster import binaries
from tests.support.fault_proxy import Act, FaultProxy, Request
from tests.support.gcs import Bucket, bucket, faults, gcs_server
from tests.support.harness import JOB, Done, Harness, kill
from upload.model import Severity
from upload.verify import verify

__all__ = ["binaries", "bucket", "faults", "gcs_server"]

LATE_S = 40.0
STARTS_S = 240.0


@dataclass(frozen=True)
class Moment:
    """Where a run is stopped: in ``step``, when it has sent ``object``, which ``is_stored`` or not."""

    step: str
    object: str
    is_stored: bool

    def matches(self, request: Request) -> bool:
        return request.is_upload and request.object.endswith(self.object)


MOMENTS = {
    "claim-not-stored": Moment("claim", "/started.json", is_stored=False),
    "claim-stored": Moment("claim", "/started.json", is_stored=True),
    "publish-begun": Moment("publish", "/artifacts/junit_runner.xml", is_stored=True),
    "publish-finished": Moment("publish", "/finished.json", is_stored=False),
}


@dataclass(frozen=True)
class Stage:
    """A run into a bucket, and the proxy before it."""

    harness: Harness
    job: Path
    bucket: Bucket
    faults: FaultProxy

    def start_until(self, moment: Moment) -> subprocess.Popen[str]:
        """Start a run and return it when it is held."""
        act = Act.STALL if moment.is_stored else Act.CUT_BEFORE
        self.faults.add(act, moment.matches, times=1000, seconds=LATE_S)
        process = self.harness.start("run", self.job, "--results", self.bucket.uri)
        until = time.monotonic() + STARTS_S
        while not self.faults.requests(moment.matches):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        assert self.harness.state().step == moment.step
        return process

    def let_go(self) -> None:
        """Have the store answer from now on."""
        self.faults.faults.clear()

    def e2e(self, *argv: str) -> Done:
        return self.harness.e2e(*argv, timeout_s=120)

    def results(self) -> list[str]:
        """Return how each build in the bucket ended."""
        store = self.bucket.store(f"logs/{JOB}")
        builds = [each.path.rpartition("/")[0] for each in store.list() if each.path.endswith("/started.json")]
        found = [store.read(f"{build}/finished.json") for build in builds]
        return [str(json.loads(each.body)["result"]) if each else "" for each in found]

    def left(self) -> list[str]:
        """Return what still runs, and what readers would stumble over in the bucket."""
        findings = verify(self.bucket.store(), now_s=int(time.time())).findings
        return [
            *self.harness.strays(),
            *(f"{each.object}: {each.what}" for each in findings if each.severity is Severity.ERROR),
        ]


@pytest.fixture(
    params=["fake", pytest.param("local", marks=[pytest.mark.slow, pytest.mark.full])],
)
def stage(request: pytest.FixtureRequest, harness: Harness, bucket: Bucket, faults: FaultProxy) -> Stage:
    """Return a run with the fake provider and tester, or with the local provider and the real suite."""
    config: dict[str, Any] = {}
    variables = {"STORAGE_EMULATOR_HOST": faults.url}
    if request.param == "local":
        request.getfixturevalue("binaries")
        variables["E2E_CACHE_DIR"] = str(sources_from_env(os.environ).cache)
        config = {"tester": "pytest", "suite": "ServiceAccounts"}
    online = replace(harness, variables=harness.variables | variables)
    return Stage(online, online.write_job(**config), bucket, faults)


def only(*sample: str, among: Iterable[str] = MOMENTS) -> list[object]:
    """Return the moments, of which some belong to ``make test``."""
    return [pytest.param(MOMENTS[name], id=name, marks=() if name in sample else pytest.mark.full) for name in among]


def verdict(moment: Moment) -> tuple[int, list[str]]:
    """Return exit code and results of a run that is aborted there: once the suite has ended its verdict stands."""
    return (130, ["ABORTED"]) if moment.step == "claim" else (0, ["SUCCESS"])


@pytest.mark.parametrize("moment", only("claim-stored"))
def test_kill_9_then_status_down_and_publish_clean_everything(stage: Stage, moment: Moment) -> None:
    kill(stage.start_until(moment))
    stage.let_go()

    status, down = stage.e2e("status"), stage.e2e("down")
    again = stage.e2e("publish", stage.harness.state().run)

    assert f"interrupted in {moment.step}; e2e down --resume" in status.out
    assert (down.code, again.code) == (0, 0), down.err + again.err
    assert f"is not published; try: e2e publish {JOB}-" in down.err
    # a build that was claimed is not left without an end
    assert stage.results() == (["FAILURE"] if moment.step == "claim" else ["SUCCESS"])
    assert stage.left() == []
    assert not stage.harness.state().needs_work


@pytest.mark.parametrize("moment", only("publish-finished"))
def test_kill_9_then_resume_publishes_what_finished(stage: Stage, moment: Moment) -> None:
    kill(stage.start_until(moment))
    stage.let_go()

    done = stage.e2e("down", "--resume", "--abort")

    code, results = verdict(moment)
    had_build = moment.step != "claim" or moment.is_stored
    assert (done.code, stage.results()) == (code, results if had_build else []), done.err
    assert not had_build or stage.left() == []
    assert not stage.harness.state().needs_work


@pytest.mark.parametrize("moment", only("claim-not-stored", among=("claim-not-stored", "publish-finished")))
def test_sigterm_waits_for_the_store_and_publishes(stage: Stage, moment: Moment) -> None:
    process = stage.start_until(moment)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None, "what is sent now is never sent again"
    stage.let_go()
    _, err = process.communicate(timeout=120)

    assert (process.returncode, stage.results()) == verdict(moment), err
    assert stage.left() == []
    assert not stage.harness.state().needs_work


@pytest.mark.full
@pytest.mark.parametrize("moment", only())
def test_sigterm_and_sigkill_five_seconds_later_can_be_resumed(stage: Stage, moment: Moment) -> None:
    process = stage.start_until(moment)
    process.send_signal(signal.SIGTERM)
    time.sleep(5)
    kill(process)
    stage.let_go()

    done = stage.e2e("down", "--resume", "--abort")

    code, results = verdict(moment)
    had_build = moment.step != "claim" or moment.is_stored
    assert (done.code, stage.results()) == (code, results if had_build else []), done.err
    assert not had_build or stage.left() == []
