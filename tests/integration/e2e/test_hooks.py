"""Commands of the party around the steps of a run, and who is told of its end."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.support.harness import JOB, Harness
from tests.support.receiver import received

HOOKS = ("before_up", "after_up", "before_test", "after_test", "before_down")
CANARY = "canary-5b1f0c9d7e"  # the fake provider tells it as a secret


def hooks(order: Path, **scripts: str) -> dict[str, Any]:
    """Return all hooks: each writes its name and what the run has come to, then does what ``scripts`` says."""
    tell = f'echo "$E2E_HOOK $E2E_RESULT ${{KUBECONFIG:+cluster}}" >> {order}; '
    return {
        "hooks": {name: {"command": ["sh", "-c", tell + scripts.get(name, "true")], "timeout": "30s"} for name in HOOKS}
    }


def titles(harness: Harness) -> list[tuple[str, bool]]:
    """Return title and whether it failed of each step that is published, without parts of steps."""
    (build,) = harness.builds()
    cases = etree.parse(build / "artifacts" / "junit_runner.xml").iter("testcase")
    found = [(str(case.get("name")).removeprefix("e2e."), case.find("failure") is not None) for case in cases]
    return [(name, is_failed) for name, is_failed in found if ":" not in name]


def test_hooks_run_in_their_order_and_are_cases(harness: Harness) -> None:
    order = harness.home / "order"
    around = hooks(order, after_up="echo proof > $ARTIFACTS/proof.txt; echo to the log")

    done = harness.e2e("run", harness.write_job(around=around))

    assert done.code == 0, done.err
    assert order.read_text().splitlines() == [
        "before_up SUCCESS ",
        *(f"{name} SUCCESS cluster" for name in HOOKS[1:]),
    ]
    (build,) = harness.builds()
    assert (build / "artifacts" / "hooks" / "after_up" / "proof.txt").read_text() == "proof\n"
    assert "to the log" in (build / "build-log.txt").read_text()
    assert titles(harness) == [
        ("Hook before_up", False),
        ("Up", False),
        ("Hook after_up", False),
        ("Hook before_test", False),
        ("Test", False),
        ("Hook after_test", False),
        ("Dump", False),
        ("Hook before_down", False),
        ("Down", False),
    ]


@pytest.mark.parametrize(
    ("name", "ran"),
    [
        ("before_up", ["before_up"]),
        ("after_up", ["before_up", "after_up", "before_down"]),
        ("before_test", ["before_up", "after_up", "before_test", "before_down"]),
        ("after_test", list(HOOKS)),
        ("before_down", list(HOOKS)),
    ],
)
def test_a_hook_that_fails_is_a_provider_error_and_the_cluster_goes(
    name: str, ran: list[str], harness: Harness
) -> None:
    order = harness.home / "order"

    done = harness.e2e("run", harness.write_job(around=hooks(order, **{name: "echo why; exit 7"})))

    assert [line.split()[0] for line in order.read_text().splitlines()] == ran
    finished = harness.finished()
    assert (done.code, finished["result"], finished["metadata"]["failure"]) == (
        3,
        "FAILURE",
        f"Hook {name}: hooks.{name}: sh ended with code 7",
    )
    assert (f"Hook {name}", True) in titles(harness)
    assert harness.strays() == []


def test_after_a_red_suite_the_hooks_know_and_the_verdict_stays(harness: Harness) -> None:
    order = harness.home / "order"

    done = harness.e2e("run", harness.write_job(suite="fail", around=hooks(order, after_test="exit 1")))

    assert done.code == 1
    assert order.read_text().splitlines()[-2:] == ["after_test FAILURE cluster", "before_down FAILURE cluster"]
    assert harness.finished()["metadata"]["notes"] == "Hook after_test: hooks.after_test: sh ended with code 1"


def test_the_page_names_every_variable_of_a_hook(harness: Harness) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "add-a-config.md").read_text()
    seen = harness.home / "seen"

    done = harness.e2e("run", harness.write_job(around=hooks(seen, after_up=f"env > {seen}.env")))

    assert done.code == 0, done.err
    own = {line.partition("=")[0] for line in Path(f"{seen}.env").read_text().splitlines()} - set(harness.variables)
    told = set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)`", page, re.MULTILINE))
    assert told == own - {"E2E_RUN_FOLDER", "PWD", "OLDPWD", "SHLVL", "_"}


def test_a_hook_that_is_late_is_stopped_with_what_it_started(harness: Harness) -> None:
    order = harness.home / "order"
    around = hooks(order, before_test="sleep 600 & sleep 600")
    around["hooks"]["before_test"]["timeout"] = "1s"

    done = harness.e2e("run", harness.write_job(around=around))

    assert (done.code, harness.finished()["metadata"]["failure"]) == (
        124,
        "Hook before_test: before_test was not done after 1 s",
    )
    assert harness.strays() == []


def test_a_signal_stops_a_hook_and_the_last_one_still_runs(harness: Harness) -> None:
    order = harness.home / "order"
    process = harness.start("run", harness.write_job(around=hooks(order, after_up="sleep 600")))
    harness.wait_for(lambda state: state.step == "after_up")

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)

    assert (process.returncode, harness.finished()["result"]) == (130, "ABORTED")
    assert order.read_text().splitlines()[-1] == "before_down ABORTED cluster"


def test_a_program_that_is_not_there_is_told(harness: Harness) -> None:
    done = harness.e2e(
        "run", harness.write_job(around={"hooks": {"before_up": {"command": ["./nope"], "timeout": "1s"}}})
    )

    assert done.code == 2
    assert "hooks.before_up.command: there is no program ./nope" in done.err


def test_other_verbs_run_no_hook(harness: Harness) -> None:
    order = harness.home / "order"
    job = harness.write_job(around=hooks(order))

    up = harness.e2e("up", job)
    down = harness.e2e("down", harness.state().run)

    assert (up.code, down.code, order.exists()) == (0, 0, False)


def test_a_command_and_a_web_address_are_told_of_a_failure_without_secrets(harness: Harness) -> None:
    told = harness.home / "told.json"
    around = {
        "notify": {"on_failure": {"command": ["sh", "-c", f"cat > {told}"]}, "webhook": "on-failure"},
        "hooks": {"after_test": {"command": ["sh", "-c", f"echo {CANARY}; exit 1"], "timeout": "30s"}},
    }
    with received() as receiver:
        receiver.answers.append((503, {"Retry-After": "0"}))
        harness.variables["E2E_WEBHOOK_URL"] = receiver.url
        harness.variables["BUILD_URL"] = "https://jenkins.example.com/job/x/7/"
        done = harness.e2e("run", harness.write_job(suite="fail", around=around))

    message = json.loads(told.read_text())
    assert done.code == 1
    assert [body for _, body in receiver.got] == [message, message]
    (build,) = harness.builds()
    assert {key: message[key] for key in ("job", "build", "result", "exit_code", "cases", "jenkins")} == {
        "job": JOB,
        "build": build.name,
        "result": "FAILURE",
        "exit_code": 1,
        "cases": {"passed": 1, "failed": 1, "skipped": 0, "flaky": 0},
        "jenkins": "https://jenkins.example.com/job/x/7/",
    }
    assert message["addresses"]["results"].startswith(build.as_uri())
    assert [each["step"] for each in message["failures"]] == ["Test", "Hook after_test"]
    assert len(message["failed_cases"]) == 1


@pytest.mark.parametrize(
    ("suite", "webhook", "count"),
    [("pass", "always", 1), ("pass", "on-failure", 0), ("pass", "never", 0), ("fail", "never", 0)],
)
def test_only_what_is_asked_for_is_posted(suite: str, webhook: str, count: int, harness: Harness) -> None:
    with received() as receiver:
        harness.variables["E2E_WEBHOOK_URL"] = receiver.url
        harness.e2e("run", harness.write_job(suite=suite, around={"notify": {"webhook": webhook}}))

    assert len(receiver.got) == count


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        pytest.param(
            {"webhook": "always"}, "notify.webhook: nobody was told: E2E_WEBHOOK_URL is not set", id="no address"
        ),
        pytest.param(
            {"on_failure": {"command": ["./nope"]}},
            "notify.on_failure: nobody was told: notify.on_failure.command: there is no program ./nope",
            id="no program",
        ),
        pytest.param(
            {"on_failure": {"command": ["sh", "-c", "exit 5"]}}, "nobody was told: sh ended with code 5", id="fails"
        ),
    ],
)
def test_that_nobody_could_be_told_changes_no_verdict(notify: dict[str, Any], told: str, harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job(suite="fail", around={"notify": notify}))

    assert (done.code, told in done.err) == (1, True), done.err
