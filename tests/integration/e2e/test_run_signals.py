"""Signals and kills in every step: what finished is published, nothing is left running, later processes can finish."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from e2e.lifecycle.state import Presence
from tests.support.harness import JOB, Harness, kill

# step that hangs -> how the fakes are told to
STEPS: dict[str, dict[str, Any]] = {
    "up": {"up": "hang"},
    "test": {"suite": "hang"},
    "dump": {"dump": "hang"},
    "down": {"down": "hang"},
}
ABORTED = (130, "ABORTED", False)
FULL_BUT_ONE = [pytest.param(step, marks=() if step == "test" else pytest.mark.full) for step in STEPS]


def start_until(harness: Harness, step: str) -> subprocess.Popen[str]:
    """Start a run and return it when it hangs in ``step``."""
    process = harness.start("run", harness.write_job(**STEPS[step], timeouts={"down": "20s"}))
    harness.wait_for(lambda state: state.step == step)
    if step == "test":
        wait_for_first_case(harness)
    time.sleep(0.3)
    return process


def wait_for_first_case(harness: Harness) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        events = [path.read_text() for path in harness.state_dir.glob("runs/*/work/*.events.jsonl")]
        if events and "Hanging" in events[0]:
            return
        time.sleep(0.02)
    raise AssertionError("no case began")


def published(harness: Harness) -> tuple[str, bool]:
    finished = harness.finished()
    return finished["result"], finished["passed"]


def names_of(junit: Path) -> list[str]:
    from lxml import etree

    return [str(case.get("name")) for case in etree.parse(junit).iter("testcase")]


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)])
@pytest.mark.parametrize("step", [pytest.param("up", marks=pytest.mark.full), "test"])
def test_signal_before_the_suite_ended_publishes_an_aborted_build(harness: Harness, step: str, number: int) -> None:
    process = start_until(harness, step)

    done = kill(process, number)

    assert (done.code, *published(harness)) == ABORTED, done.err
    assert harness.strays() == []
    state = harness.state()
    assert (state.published, state.clusters, state.signals) == (True, {"c1": Presence.GONE}, 1)
    (build,) = harness.builds()
    steps = names_of(build / "artifacts" / "junit_runner.xml")
    assert [name for name in steps if ": " not in name][-2:] == ["e2e.Dump", "e2e.Down"]
    if step == "test":
        assert names_of(build / "artifacts" / "junit_01.xml") == ["[sig-fake] Passing should be done"]


@pytest.mark.full
def test_suite_that_ignores_sigint_is_killed_and_what_finished_is_published(harness: Harness) -> None:
    process = harness.start("run", harness.write_job(suite="stubborn"))
    harness.wait_for(lambda state: state.step == "test")
    wait_for_first_case(harness)

    began = time.monotonic()
    done = kill(process, signal.SIGTERM)

    (build,) = harness.builds()
    assert (done.code, *published(harness)) == ABORTED
    assert names_of(build / "artifacts" / "junit_01.xml") == ["[sig-fake] Passing should be done"]
    assert 14 < time.monotonic() - began < 40
    assert harness.strays() == []


@pytest.mark.full
def test_signal_after_the_suite_ended_changes_no_verdict_and_the_second_skips_the_dump(harness: Harness) -> None:
    process = start_until(harness, "dump")

    process.send_signal(signal.SIGTERM)
    harness.wait_for(lambda state: state.signals == 1)
    time.sleep(0.5)
    assert process.poll() is None, "the first signal lets the dump go on"
    done = kill(process, signal.SIGTERM)

    assert (done.code, *published(harness)) == (0, "SUCCESS", True), done.err
    assert harness.strays() == []


@pytest.mark.full
def test_second_signal_skips_the_dump(harness: Harness) -> None:
    process = harness.start("run", harness.write_job(up="hang", dump="hang"))
    harness.wait_for(lambda state: state.step == "up")
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    harness.wait_for(lambda state: state.step == "dump")

    done = kill(process, signal.SIGTERM)

    assert (done.code, *published(harness)) == ABORTED, done.err
    assert "Dump" not in harness.state().finished_steps
    assert harness.strays() == []


def test_third_signal_leaves_at_once_and_names_the_command_that_finishes(harness: Harness) -> None:
    process = start_until(harness, "down")
    for count in (1, 2):
        process.send_signal(signal.SIGTERM)
        harness.wait_for(lambda state, count=count: state.signals == count)

    began = time.monotonic()
    done = kill(process, signal.SIGTERM)

    run = harness.state().run
    assert (done.code, time.monotonic() - began < 5) == (130, True)
    assert f"e2e down {run} --resume --abort" in done.err
    assert harness.strays() != []
    harness.write_job()
    edit_provider(harness, down="ok")
    resumed = harness.e2e("down", "--resume", "--abort")
    # the suite had ended before the first signal: its verdict stands
    assert (resumed.code, *published(harness)) == (0, "SUCCESS", True), resumed.err
    assert harness.strays() == []


def edit_provider(harness: Harness, **provider: str) -> None:
    """Change how the provider of the only run behaves from now on."""
    from dataclasses import replace

    (folder,) = harness.folders()
    state = folder.read()
    job = {**state.job, "provider": {"name": "fake", **provider}}
    folder.write(replace(state, job=job))


@pytest.mark.parametrize("step", FULL_BUT_ONE)
def test_kill_9_in_a_step_then_status_and_down_clean_everything(harness: Harness, step: str) -> None:
    process = start_until(harness, step)
    kill(process)

    status = harness.e2e("status")
    edit_provider(harness)
    down = harness.e2e("down")

    assert f"interrupted in {step}" in status.out
    assert (down.code, harness.strays()) == (0, []), down.err
    state = harness.state()
    assert (state.clusters, state.published) == ({"c1": Presence.GONE}, False)
    assert f"e2e publish {state.run}" in down.err


@pytest.mark.parametrize("step", FULL_BUT_ONE)
def test_kill_9_in_a_step_then_resume_publishes_what_finished(harness: Harness, step: str) -> None:
    process = start_until(harness, step)
    kill(process)
    edit_provider(harness)

    done = harness.e2e("down", "--resume", "--abort")

    expected = ABORTED if step in ("up", "test") else (0, "SUCCESS", True)
    assert (done.code, *published(harness)) == expected, done.err
    assert harness.strays() == []
    (build,) = harness.builds()
    if step != "up":
        assert names_of(build / "artifacts" / "junit_01.xml") == ["[sig-fake] Passing should be done"]
    assert harness.e2e("verify", harness.store).code == 0
    assert harness.state().is_ended


@pytest.mark.full
def test_sigterm_and_sigkill_five_seconds_later_can_be_resumed(harness: Harness) -> None:
    process = harness.start("run", harness.write_job(suite="stubborn"))
    harness.wait_for(lambda state: state.step == "test")
    wait_for_first_case(harness)
    process.send_signal(signal.SIGTERM)
    assert harness.wait_for(lambda state: state.signals == 1, patience_s=5).step == "test"
    time.sleep(5)
    kill(process)

    done = harness.e2e("down", "--resume", "--abort")

    assert (done.code, *published(harness)) == ABORTED, done.err
    assert harness.strays() == []


@pytest.mark.full
def test_kill_9_while_publishing_then_resume_completes_the_build(harness: Harness) -> None:
    process = harness.start("run", harness.write_job())
    harness.wait_for(lambda state: state.step == "publish")
    kill(process)

    done = harness.e2e("down", "--resume", "--abort")

    assert (done.code, *published(harness)) == (0, "SUCCESS", True), done.err
    assert harness.e2e("verify", harness.store).code == 0


@pytest.mark.full
def test_resume_without_abort_publishes_a_failure(harness: Harness) -> None:
    kill(start_until(harness, "test"))

    done = harness.e2e("down", "--resume")

    assert (done.code, *published(harness)) == (5, "FAILURE", False), done.err
    assert harness.finished()["metadata"]["failure"] == "Test: the process was killed in step test"


def test_resumed_run_ends_with_its_verdict_and_the_addresses(harness: Harness) -> None:
    kill(start_until(harness, "test"))

    done = harness.e2e("down", "--resume", "--abort")

    state, (build,) = harness.state(), harness.builds()
    lines = [line.partition(" ")[2] for line in done.err.splitlines()]
    ending = lines[lines.index("ABORTED: 1 passed, 1 not run") :]
    assert (done.code, ending) == (
        130,
        [
            "ABORTED: 1 passed, 1 not run",
            "  Test: the process was killed in step test",
            f"artifacts: {state.artifacts}",
            f"again: e2e run {harness.home / 'fake.yaml'}",
            f"results:  {build.as_uri()}/",
            f"site:     {(harness.store.parent / 'site' / 'index.html').as_uri()}",
            f"testgrid: https://testgrid.k8s.io/tests-fake#{JOB} (once it is published to a bucket)",
        ],
    )


def test_second_process_is_refused_and_told_who_holds_the_run(harness: Harness) -> None:
    process = start_until(harness, "test")

    down = harness.e2e("down", harness.state().run)

    assert down.code == 2
    assert f"{harness.state().run} is held by e2e run (pid {process.pid})" in down.err
    kill(process, signal.SIGTERM)
