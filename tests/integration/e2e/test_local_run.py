"""The main job with the real local provider: signals and kills leave nothing running and lose no result."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from e2e.lifecycle.state import Presence
from providers.contracts import Binaries
from providers.releases.sources import sources_from_env
from tests.support.harness import Harness, kill

pytestmark = pytest.mark.slow

STEPS = ("up", "test", "dump", "down")


def only(step: str) -> list[object]:
    """Return the steps, of which one belongs to ``make test``."""
    return [pytest.param(each, marks=() if each == step else pytest.mark.full) for each in STEPS]


@pytest.fixture
def local(harness: Harness, binaries: Binaries) -> Harness:
    """Return the harness with the programs of this machine's cache, which are complete."""
    harness.variables["E2E_CACHE_DIR"] = str(sources_from_env(os.environ).cache)
    return harness


def start_until(local: Harness, step: str) -> subprocess.Popen[str]:
    process = local.start("run", local.write_job(tester="pytest", suite="sig-(node|scheduling)"))
    local.wait_for(lambda state: state.step == step, patience_s=240)
    if step == "up":
        time.sleep(1.0)  # until something is running
    if step == "test":
        wait_for_a_case_that_ended(local)
    return process


def wait_for_a_case_that_ended(local: Harness) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if any('"finished"' in path.read_text() for path in local.state_dir.glob("runs/*/work/*.events.jsonl")):
            return
        time.sleep(0.05)
    raise AssertionError("no case ended")


@pytest.mark.parametrize("step", only("test"))
def test_sigterm_publishes_what_finished_and_leaves_nothing(local: Harness, step: str) -> None:
    process = start_until(local, step)

    done = kill(process, signal.SIGTERM)

    expected = (130, "ABORTED") if step in ("up", "test") else (0, "SUCCESS")
    assert (done.code, local.finished()["result"]) == expected, done.err
    assert (local.strays(), local.state().clusters) == ([], {"c1": Presence.GONE})
    assert local.e2e("verify", local.store).code == 0
    if step != "up":
        assert b"<testcase" in (local.builds()[0] / "artifacts" / "junit_01.xml").read_bytes()


@pytest.mark.parametrize("step", only("up"))
def test_kill_9_then_status_and_down_clean_everything(local: Harness, step: str) -> None:
    kill(start_until(local, step))

    status = local.e2e("status")
    down = local.e2e("down", timeout_s=120)

    assert "interrupted in" in status.out
    # a down that was killed at its very end left nothing to take down
    assert (down.code, local.strays()) == (0, []) or (step == "down" and local.strays() == []), down.err
    assert not local.state().is_live


@pytest.mark.full
@pytest.mark.parametrize("step", STEPS)
def test_kill_9_then_resume_publishes_what_finished(local: Harness, step: str) -> None:
    kill(start_until(local, step))

    done = local.e2e("down", "--resume", "--abort", timeout_s=120)

    expected = (130, "ABORTED") if step in ("up", "test") else (0, "SUCCESS")
    assert (done.code, local.finished()["result"], local.strays()) == (*expected, []), done.err
    assert local.e2e("verify", local.store).code == 0


@pytest.mark.full
@pytest.mark.parametrize("step", STEPS)
def test_sigterm_and_sigkill_five_seconds_later_can_be_resumed(local: Harness, step: str) -> None:
    process = start_until(local, step)
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=5)  # a step that is cut quickly leaves nothing to kill
    except subprocess.TimeoutExpired:
        kill(process)

    done = local.e2e("down", local.state().run, "--resume", "--abort", timeout_s=120)

    expected = "ABORTED" if step in ("up", "test") else "SUCCESS"
    assert (local.finished()["result"], local.strays()) == (expected, []), done.err
    assert local.e2e("verify", local.store).code == 0
    assert not local.state().needs_work
