"""The pytest tester with the real pytest, xdist and plugin, on a suite that needs no cluster."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from e2e.plugin.titles import evidence_name
from tests.support.harness import Harness, kill


def cases(harness: Harness, name: str) -> dict[str, str]:
    """Return title -> what the published case holds."""
    from lxml import etree

    (build,) = harness.builds()
    return {
        str(case.get("name")): ",".join(child.tag for child in case)
        for case in etree.parse(build / "artifacts" / name).iter("testcase")
    }


def wait_for_events(harness: Harness, **counts: int) -> None:
    """Wait until the only run's suite has told of just so many events of each kind."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        events = "".join(path.read_text() for path in harness.state_dir.glob("runs/*/work/*.events.jsonl"))
        if all(events.count(f'"{kind}"') == count for kind, count in counts.items()):
            break
        time.sleep(0.05)


def attempts(harness: Harness) -> dict[str, list[str]]:
    """Return what the cases of each title hold, in the order of publication."""
    from lxml import etree

    (build,) = harness.builds()
    found: dict[str, list[str]] = {}
    for file in sorted((build / "artifacts").glob("junit_0*.xml")):
        for case in etree.parse(file).iter("testcase"):
            found.setdefault(str(case.get("name")), []).append(",".join(child.tag for child in case))
    return found


@pytest.mark.full
def test_suite_runs_in_two_passes_and_is_published(harness: Harness) -> None:
    (harness.home / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")

    done = harness.e2e("run", harness.write_job(tester="tiny", suite="Passing|Failing|Alone|Moon"))

    assert done.code == 1, done.err
    assert cases(harness, "junit_01.xml") == {
        "[sig-tiny] Passing should pass": "",
        "[sig-tiny] Failing should fail": "failure",
        "[sig-tiny] Alone should pass [Serial]": "",
        "[sig-tiny] Moon should be full": "skipped",
    }
    assert harness.e2e("verify", harness.store).code == 0
    assert "FAILURE: 2 passed, 1 failed, 1 skipped" in done.err


def test_suite_that_is_cut_publishes_what_finished(harness: Harness) -> None:
    process = harness.start("run", harness.write_job(tester="tiny", suite="Passing|Hanging"))
    wait_for_events(harness, started=2, finished=1)

    done = kill(process, signal.SIGTERM)

    assert (done.code, harness.finished()["result"]) == (130, "ABORTED"), done.err
    assert cases(harness, "junit_01.xml") == {"[sig-tiny] Passing should pass": ""}
    log = (harness.builds()[0] / "build-log.txt").read_text()
    assert "cut while running: [sig-tiny] Hanging should be cut" in log
    assert harness.strays() == []


WAVERING = "[sig-tiny] Wavering should pass at its second attempt"
RELUCTANT = "[sig-tiny] Reluctant should pass at its third attempt [Serial]"


def test_case_that_fails_and_then_passes_is_flaky_and_no_failure(harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job(tester="tiny", suite="Passing|Wavering|Reluctant", attempts=3))

    assert done.code == 0, done.err
    assert "SUCCESS: 3 passed (2 flaky)" in done.err
    assert attempts(harness) == {
        "[sig-tiny] Passing should pass": [""],
        WAVERING: ["failure", ""],
        RELUCTANT: ["failure", "failure", ""],
    }
    finished = harness.finished()
    assert (finished["result"], finished["metadata"]["flaky-cases"]) == ("SUCCESS", f"{WAVERING}; {RELUCTANT}")
    assert harness.e2e("verify", harness.store).code == 0


def test_case_that_fails_at_every_attempt_has_failed(harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job(tester="tiny", suite="Failing|Wavering", attempts=2))

    assert done.code == 1, done.err
    assert "FAILURE: 1 passed (1 flaky), 1 failed" in done.err
    assert attempts(harness) == {"[sig-tiny] Failing should fail": ["failure", "failure"], WAVERING: ["failure", ""]}
    evidence = harness.builds()[0] / "artifacts" / "failures"
    found = sorted(str(file.relative_to(evidence)) for file in evidence.rglob("case.txt"))
    failing, wavering = evidence_name("[sig-tiny] Failing should fail"), evidence_name(WAVERING)
    assert found == [f"{failing}/attempt-2/case.txt", f"{failing}/case.txt", f"{wavering}/case.txt"]


def test_suite_that_is_cut_at_its_second_attempt_publishes_both(harness: Harness) -> None:
    process = harness.start("run", harness.write_job(tester="tiny", suite="Stubborn|Wavering", attempts=2))
    wait_for_events(harness, started=4, finished=3)

    done = kill(process, signal.SIGTERM)

    assert (done.code, harness.finished()["result"]) == (130, "ABORTED"), done.err
    assert attempts(harness) == {
        "[sig-tiny] Stubborn should fail and then be cut": ["failure"],
        WAVERING: ["failure", ""],
    }
    assert harness.strays() == []


@pytest.mark.full
def test_caller_cannot_change_the_suite_from_his_folder(harness: Harness, tmp_path: Path) -> None:
    (harness.home / "conftest.py").write_text("raise SystemExit('read')")
    (harness.home / "upload.py").write_text("raise SystemExit('shadowed')")
    harness.variables["PYTEST_ADDOPTS"] = "--no-such-option"

    done = harness.e2e("run", harness.write_job(tester="tiny", suite="Passing"))

    assert done.code == 0, done.err
