"""The tester ``e2e.test``: what it makes of what Ginkgo does, and upstream's own suite on a real control plane."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import etree

from e2e.lifecycle.child import Exit
from e2e.lifecycle.ginkgo.settings import GinkgoSettings
from e2e.lifecycle.ginkgo.tester import PROGRAMS, GinkgoTester, verdict
from e2e.lifecycle.state import Tally
from e2e.lifecycle.testers import BrokenTester, SuitePlan
from providers.contracts import Binaries, Cluster, Deadline
from providers.releases.sources import sources_from_env
from tests.support import fake_ginkgo
from tests.support.harness import Harness, kill
from tests.support.tester_host import DirectHost, make_suite_plan
from upload.errors import HarnessError, Interrupted, Outcome, UsageError

ONE, TWO, SKIPPED = "[sig-x] One should pass", "[sig-x] Two (of two) should pass", "[sig-x] Three should be there"
Run = dict[str, Any]


def cases_of(file: Path) -> list[tuple[str, str]]:
    """Return the cases of a JUnit file, each with what it holds."""
    found = etree.parse(file).iter("testcase")
    return [(str(case.get("name")), ",".join(child.tag for child in case)) for case in found]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., tuple[SuitePlan, DirectHost]]:
    """Return what makes a plan and a host whose Ginkgo does what it is told, a run after the other."""

    def make(*runs: Run, **changes: Any) -> tuple[SuitePlan, DirectHost]:
        ginkgo = tmp_path / "ginkgo"
        ginkgo.write_text(
            f"#!{sys.executable}\nimport runpy\nrunpy.run_path({fake_ginkgo.__file__!r}, run_name='__main__')\n"
        )
        ginkgo.chmod(0o700)
        calls = {"FAKE_GINKGO": json.dumps(runs), "FAKE_GINKGO_CALLS": str(tmp_path / "calls")}
        env = {"PATH": os.environ["PATH"], **calls}
        programs = {"ginkgo": ginkgo, "e2e.test": tmp_path / "e2e.test", "kubectl": tmp_path / "bin" / "kubectl"}
        return make_suite_plan(tmp_path, env=env, **changes), DirectHost(programs)

    return make


def calls(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]


def test_suite_is_run_with_what_the_config_asks_for(made: Any, tmp_path: Path) -> None:
    plan, host = made({"cases": {ONE: "passed", SKIPPED: "skipped"}}, focus="^a", skip="-b")

    result = GinkgoTester(GinkgoSettings(label_filter="x || y", flags=["--minStartupPods=4"])).test(plan, host)

    assert (result.outcome, result.tally, result.stopped) == (Outcome.PASSED, Tally(total=2, passed=1, skipped=1), None)
    (call,) = calls(tmp_path)
    assert (call["argv"], call["kubeconfig"]) == (
        [
            *("--procs=4", "-v", "--no-color", "--timeout=336h"),
            *("--focus=^Kubernetes e2e suite a", "--skip=-b", "--label-filter=!Disruptive && (x || y)"),
            *(str(tmp_path / "e2e.test"), "--", f"--report-dir={plan.work}/ginkgo.1", f"--e2e-output-dir={plan.work}"),
            *("--provider=skeleton", "--dump-logs-on-failure=false", "--minStartupPods=4"),
        ],
        str(plan.cluster.kubeconfig),
    )
    assert host.asked == [(PROGRAMS, "v1.36.3")]
    assert [case.name for case in host.ended] == [f"[It] {ONE}", f"[It] {SKIPPED}"]
    assert cases_of(plan.artifacts / "junit_01.xml") == [
        (f"[It] {ONE}", ""), (f"[It] {SKIPPED}", "skipped"), ("[SynchronizedBeforeSuite]", "")
    ]  # fmt: skip
    assert host.shown[-1].tally == result.tally


def test_what_failed_is_tried_again_by_itself(made: Any, tmp_path: Path) -> None:
    plan, host = made({"cases": {ONE: "passed", TWO: "failed"}}, {"cases": {TWO: "passed"}}, attempts=3)

    result = GinkgoTester(GinkgoSettings()).test(plan, host)

    assert (result.outcome, result.tally) == (Outcome.PASSED, Tally(total=2, passed=2, flaky=1))
    again = calls(tmp_path)[1]["argv"]
    assert [word for word in again if word.startswith(("--procs", "--focus", "--skip", "--label"))] == [
        "--procs=1",
        r"--focus=^Kubernetes e2e suite \[sig-x\] Two \(of two\) should pass$",
    ]
    found = [case for case in cases_of(plan.artifacts / "junit_01.xml") if case[0].startswith("[It]")]
    assert found == [(f"[It] {ONE}", ""), (f"[It] {TWO}", "failure,system-err"), (f"[It] {TWO}", "")]
    assert host.notes == [f"attempt 2 of 3 of 1 failed: {TWO}"]


@pytest.mark.parametrize(
    ("run", "outcome", "text", "junit"),
    [
        pytest.param(
            {"cases": {ONE: "failed"}}, Outcome.TESTS_FAILED, "1 of 1 cases failed", ["failure,system-err", ""], id="failed"
        ),
        pytest.param(
            {"cases": {ONE: "failed"}, "report": False}, Outcome.TESTS_FAILED, "1 of 1 cases failed", ["failure"], id="failed-without-a-report"
        ),
        pytest.param(
            {"cases": {}}, Outcome.USAGE, "nothing selected: no case matches preset, select, label_filter, focus and skip", [""], id="nothing"
        ),
    ],
)  # fmt: skip
def test_cases_make_the_verdict(made: Any, run: Run, outcome: Outcome, text: str, junit: list[str]) -> None:
    plan, host = made(run)

    result = GinkgoTester(GinkgoSettings()).test(plan, host)

    assert (result.outcome, result.text) == (outcome, text)
    assert [held for _, held in cases_of(plan.artifacts / "junit_01.xml")] == junit


def test_ginkgo_that_breaks_is_no_verdict_and_what_ended_is_kept(made: Any) -> None:
    plan, host = made({"cases": {ONE: "passed"}, "code": 1, "report": False})

    with pytest.raises(BrokenTester, match=r"^ginkgo ended with code 1, and no case failed$") as caught:
        GinkgoTester(GinkgoSettings()).test(plan, host)

    assert "Will run 1 of 7579 specs" in caught.value.output_tail
    assert cases_of(plan.artifacts / "junit_01.xml") == [(f"[It] {ONE}", "")]


def test_ginkgo_that_is_killed_is_no_verdict() -> None:
    with pytest.raises(BrokenTester, match=r"^ginkgo was killed, and not by us"):
        verdict(Exit(-9, ""), Tally(1, 1))


def test_suite_that_is_stopped_keeps_what_ended(made: Any) -> None:
    plan, host = made({"cases": {ONE: "failed", TWO: "hangs"}}, attempts=2)

    def stop(host: DirectHost) -> HarnessError | None:
        return Interrupted(signal.SIGTERM) if host.ended else None

    host.stop = stop
    result = GinkgoTester(GinkgoSettings()).test(plan, host)

    assert (result.outcome, str(result.stopped)) == (Outcome.TESTS_FAILED, str(Interrupted(signal.SIGTERM)))
    assert result.tally == Tally(2, 0, 1, 0, (f"[It] {ONE}",))
    assert cases_of(plan.artifacts / "junit_01.xml") == [(f"[It] {ONE}", "failure")]

    (plan.artifacts / "junit_01.xml").unlink()
    later = DirectHost({})
    assert GinkgoTester(GinkgoSettings()).salvage(plan, later) == result.tally
    assert (cases_of(plan.artifacts / "junit_01.xml"), later.asked) == ([(f"[It] {ONE}", "failure")], [])


def test_cluster_of_others_must_allow_what_cannot_be_told_beforehand(made: Any, tmp_path: Path) -> None:
    theirs = Cluster("c1", tmp_path / "kubeconfig", "v1.36.3", allow=frozenset({"disruptive"}))
    plan, host = made(cluster=theirs)

    with pytest.raises(UsageError, match="without cluster_scoped and preempts, which this cluster does not allow"):
        GinkgoTester(GinkgoSettings()).test(plan, host)
    assert host.asked == []


# upstream's own suite


QUICK = r"Secrets should patch a secret|ConfigMap should run through|LimitRange should list, patch|ServiceAccounts should (update|delete)"
WAITING = "ConfigMap should be consumable via the environment"  # five minutes, since hollow pods have no logs


@pytest.fixture
def local(harness: Harness, binaries: Binaries) -> Harness:
    """Return the harness with the programs of this machine's cache, which are complete."""
    binaries.ensure(PROGRAMS, deadline=Deadline.after(1800, "fetching upstream's suite"))
    harness.variables["E2E_CACHE_DIR"] = str(sources_from_env(os.environ).cache)
    return harness


def write_job(local: Harness, focus: str, **suite: Any) -> Path:
    path = local.write_job(tester="pytest")
    document = yaml.safe_load(path.read_text())
    document["suite"] = {"tester": "e2e.test", "preset": "conformance", "focus": focus, "workers": 2, **suite}
    document["defaults"]["timeouts"] |= {"test": "5m", "total": "20m"}
    path.write_text(yaml.safe_dump(document))
    return path


def published(local: Harness) -> list[str]:
    """Return the published cases, without those that Ginkgo ran around the suite."""
    (build,) = local.builds()
    found = cases_of(build / "artifacts" / "junit_01.xml")
    return sorted(f"{name} {held}".rstrip() for name, held in found if name.startswith("[It]"))


SECRET = "[It] [sig-node] Secrets should patch a secret [Conformance]"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, pytest.param(1, marks=pytest.mark.full)])
def test_upstreams_suite_runs_and_is_published(local: Harness, workers: int) -> None:
    done = local.e2e("run", write_job(local, QUICK, workers=workers), timeout_s=300)

    assert done.code == 0, done.err
    assert published(local) == [
        "[It] [sig-auth] ServiceAccounts should update a ServiceAccount [Conformance]",
        "[It] [sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]",
        SECRET,
        "[It] [sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection [Conformance]",
    ]
    assert "SUCCESS: 4 passed" in done.err
    assert local.e2e("verify", local.store).code == 0
    assert local.strays() == []


def start_until_one_ended(local: Harness) -> subprocess.Popen[str]:
    process = local.start("run", write_job(local, f"Secrets should patch a secret|{WAITING}"))
    until = time.monotonic() + 180
    while time.monotonic() < until and process.poll() is None:
        if any("\n• [" in path.read_text() for path in local.state_dir.rglob("ginkgo.1.log")):
            return process
        time.sleep(0.2)
    raise AssertionError("no case ended")


@pytest.mark.slow
@pytest.mark.full
def test_upstreams_suite_that_is_cut_publishes_what_finished(local: Harness) -> None:
    done = kill(start_until_one_ended(local), signal.SIGTERM)

    assert (done.code, local.finished()["result"]) == (130, "ABORTED"), done.err
    assert published(local) == [SECRET]
    assert "cut while running: [It] [sig-node] ConfigMap" in (local.builds()[0] / "build-log.txt").read_text()
    assert local.e2e("verify", local.store).code == 0
    assert local.strays() == []


@pytest.mark.slow
@pytest.mark.full
def test_upstreams_suite_whose_harness_is_killed_is_published_later(local: Harness) -> None:
    kill(start_until_one_ended(local))

    done = local.e2e("down", "--resume", "--abort", timeout_s=180)

    assert (done.code, local.finished()["result"]) == (130, "ABORTED"), done.err
    assert published(local) == [SECRET]
    assert local.e2e("verify", local.store).code == 0
    assert local.strays() == []
