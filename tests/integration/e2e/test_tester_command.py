"""The tester ``command``, with real commands, from the config to the bucket."""

from __future__ import annotations

import shlex
import signal
import time
from pathlib import Path

import pytest
import yaml
from lxml import etree

from tests.support.harness import Harness, kill

JUNIT = '<testsuite><testcase name="[x] should be" time="1">{}</testcase></testsuite>'
GREEN, RED = JUNIT.format(""), JUNIT.format("<failure>why</failure>")


def write_job(harness: Harness, script: str, **timeouts: str) -> Path:
    path = harness.write_job(timeouts=timeouts)
    document = yaml.safe_load(path.read_text())
    document["suite"] = {"tester": "command", "command": ["sh", "-c", script], "workers": 3}
    path.write_text(yaml.safe_dump(document))
    return path


def leave(junit: str, name: str = "junit.xml") -> str:
    return f"echo {shlex.quote(junit)} > $ARTIFACTS/{name}"


def cases(harness: Harness) -> list[tuple[str, str]]:
    (build,) = harness.builds()
    found = etree.parse(build / "artifacts" / "junit_01.xml").iter("testcase")
    return [(str(case.get("name")), ",".join(child.tag for child in case)) for case in found]


def test_command_is_run_and_what_it_leaves_is_published(harness: Harness) -> None:
    script = f'echo "said on $E2E_KUBERNETES with $E2E_WORKERS"; echo kept > $ARTIFACTS/notes.txt; {leave(GREEN)}'

    done = harness.e2e("run", write_job(harness, script))

    assert (done.code, cases(harness)) == (0, [("[x] should be", "")]), done.err
    (build,) = harness.builds()
    assert "said on v1.36.3 with 3\n" in (build / "build-log.txt").read_text()
    assert (build / "artifacts" / "command" / "notes.txt").read_text() == "kept\n"
    assert "SUCCESS: 1 passed" in done.err
    assert harness.e2e("verify", harness.store).code == 0


@pytest.mark.parametrize(
    ("script", "code", "failure"),
    [
        pytest.param(f"{leave(RED)}; exit 1", 1, "Test: 1 of 1 cases failed", id="red"),
        pytest.param(f"{leave(GREEN)}; exit 7", 1, "Test: the command ended with code 7, and no case failed", id="green-with-code-7"),
        pytest.param(
            "exit 0", 2, "Test: the command left no JUnit in $ARTIFACTS (junit*.xml): nothing was tested", id="no-junit"
        ),
    ],
)  # fmt: skip
def test_failure_is_published_with_its_reason(harness: Harness, script: str, code: int, failure: str) -> None:
    job = write_job(harness, script)

    done = harness.e2e("run", job)

    assert (done.code, harness.finished()["metadata"]["failure"]) == (code, failure), done.err
    assert f"again: e2e run {job}\n" in done.err  # a command takes no --focus
    assert harness.e2e("verify", harness.store).code == 0


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert path.exists()


def hanging(harness: Harness) -> str:
    return f"{leave(GREEN)}; touch {shlex.quote(str(harness.home / 'there'))}; sleep 600"


def test_command_that_is_stopped_publishes_what_it_left(harness: Harness) -> None:
    process = harness.start("run", write_job(harness, hanging(harness)))
    wait_for(harness.home / "there")

    done = kill(process, signal.SIGTERM)

    assert (done.code, harness.finished()["result"]) == (130, "ABORTED"), done.err
    assert (cases(harness), harness.strays()) == ([("[x] should be", "")], [])


def test_command_whose_time_is_over_publishes_what_it_left(harness: Harness) -> None:
    done = harness.e2e("run", write_job(harness, hanging(harness), test="2s"))

    assert (done.code, harness.finished()["result"]) == (124, "FAILURE"), done.err
    assert (cases(harness), harness.strays()) == ([("[x] should be", "")], [])


def test_command_whose_harness_is_killed_is_published_later(harness: Harness) -> None:
    process = harness.start("run", write_job(harness, hanging(harness)))
    wait_for(harness.home / "there")
    kill(process)

    done = harness.e2e("down", "--resume", "--abort")

    assert (done.code, harness.finished()["result"]) == (130, "ABORTED"), done.err
    assert (cases(harness), harness.strays()) == ([("[x] should be", "")], [])
    assert harness.state().tally.passed == 1


@pytest.mark.parametrize("argv", [["check"], ["run", "--dry-run"], ["run", "--dry-run", "-v"]], ids=" ".join)
def test_nothing_of_it_runs_while_it_is_only_looked_at(harness: Harness, argv: list[str]) -> None:
    job = write_job(harness, f"touch {shlex.quote(str(harness.home / 'there'))}")

    done = harness.e2e(*argv, job)

    assert (done.code, (harness.home / "there").exists()) == (0, False), done.err
    assert ("touch" in done.out) is ("-v" in argv)
