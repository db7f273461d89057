"""The verbs that only look at runs: what they print and how they exit."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from e2e.cli import cli
from e2e.lifecycle.folder import RunFolder, create_folder
from e2e.lifecycle.state import Failure, Presence, Tally
from providers.contracts import Cluster
from tests.unit.e2e.lifecycle.test_state import make_state
from upload.errors import DeadlineExceeded, Outcome, UsageError

RED = (Failure("Test", Outcome.TESTS_FAILED, "1 of 2 cases failed"),)
GREEN: dict[str, object] = {"ended_s": 9, "suite_ended": True, "clusters": {"c1": Presence.GONE}}


def add(state_dir: Path, name: str, **changes: object) -> RunFolder:
    folder = create_folder(state_dir, lambda _: name, tries=1)
    facts: dict[str, object] = {
        "run": name,
        "job": {"job": name.rpartition("-")[0]},
        "started_s": int(time.time()) - 90,
    }
    folder.write(make_state(**{**facts, **changes}))
    return folder


def invoke(state_dir: Path, *argv: str) -> Result:
    return CliRunner().invoke(cli, argv, env={"E2E_STATE_DIR": str(state_dir)}, standalone_mode=False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(GREEN, "passed", id="passed"),
        pytest.param({**GREEN, "failures": RED}, "tests failed (1)", id="failed"),
        pytest.param({"step": "test"}, "interrupted in test; e2e down ci-x-1", id="killed-with-nothing-left"),
        pytest.param(
            {"step": "up", "clusters": {"c1": Presence.MADE}, "store": "/s"},
            "interrupted in up; e2e down --resume ci-x-1",
            id="killed",
        ),
        pytest.param(
            {**GREEN, "clusters": {"c1": Presence.UP}, "kept": True, "expires_s": 1},
            "passed, cluster up, expired; e2e gc --yes",
            id="expired",
        ),
        pytest.param(
            {**GREEN, "clusters": {"c1": Presence.UP}}, "passed, cluster left; e2e down ci-x-1", id="down-failed"
        ),
        pytest.param(
            {**GREEN, "claimed": True, "store": "/s", "build": "1"},
            "passed, not published; e2e publish ci-x-1",
            id="unpublished",
        ),
    ],
)
def test_status_says_how_a_run_is_and_what_to_do(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    add(tmp_path, "ci-x-1", **changes)

    assert invoke(tmp_path, "status").output == f"ci-x-1  2 min  {said}\n"


def test_status_says_who_works_on_a_run(tmp_path: Path) -> None:
    folder = add(tmp_path, "ci-x-1", step="test", step_started_s=int(time.time()) - 5)

    with folder.locked("run"):
        said = invoke(tmp_path, "status").output

    assert "e2e run (pid " in said
    assert "): test, 5 s" in said or "): test, 6 s" in said


def test_status_shows_what_needs_work_and_the_last_that_ended(tmp_path: Path) -> None:
    for number in range(8):
        add(tmp_path, f"ci-x-{number}", started_s=number, **GREEN)
    add(tmp_path, "ci-old-1", started_s=-5, ended_s=9, clusters={"c1": Presence.UP}, kept=True)

    some, everything = (invoke(tmp_path, "status", *more).output.split() for more in ([], ["--all"]))

    assert [word for word in some if word.startswith("ci-")] == [
        "ci-x-7",
        "ci-x-6",
        "ci-x-5",
        "ci-x-4",
        "ci-x-3",
        "ci-old-1",
    ]
    assert len([word for word in everything if word.startswith("ci-")]) == 9


def test_status_without_runs_says_so(tmp_path: Path) -> None:
    assert invoke(tmp_path, "status").stderr == "no runs\n"


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ((), 0),
        *(
            ((Failure("Up", outcome, "x"),), outcome.value.exit_code)
            for outcome in Outcome
            if outcome is not Outcome.PASSED
        ),
    ],
)
@pytest.mark.parametrize("verb", ["results", "wait"])
def test_verdict_is_the_exit_code(tmp_path: Path, verb: str, failures: tuple[Failure, ...], code: int) -> None:
    add(tmp_path, "ci-x-1", **{**GREEN, "failures": failures})

    assert invoke(tmp_path, verb).return_value == code


def test_results_say_that_a_newer_run_has_none_yet(tmp_path: Path) -> None:
    add(tmp_path, "ci-x-1", **{**GREEN, "started_s": 100})
    add(tmp_path, "ci-x-2", started_s=200)

    newest, named = invoke(tmp_path, "results"), invoke(tmp_path, "results", "ci-x-1")

    assert (newest.return_value, named.return_value) == (0, 0)
    assert newest.stderr.startswith("e2e: ci-x-2 is newer: ")
    assert named.stderr == ""


def test_results_are_told_as_json(tmp_path: Path) -> None:
    add(tmp_path, "ci-x-1", **{**GREEN, "failures": RED, "tally": Tally(2, 1, 1, 0, ("b",))})

    told = json.loads(invoke(tmp_path, "results", "--format", "json").output)

    assert {key: told[key] for key in ("run", "outcome", "exit_code", "cases", "failures")} == {
        "run": "ci-x-1",
        "outcome": "tests_failed",
        "exit_code": 1,
        "cases": {"total": 2, "passed": 1, "failed": 1, "skipped": 0, "flaky": 0, "failed_names": ["b"]},
        "failures": [{"step": "Test", "outcome": "tests_failed", "text": "1 of 2 cases failed", "hint": ""}],
    }


def test_results_of_a_run_without_an_end_are_refused(tmp_path: Path) -> None:
    add(tmp_path, "ci-x-1", step="up")

    done = invoke(tmp_path, "results", "ci-x-1")

    assert isinstance(done.exception, UsageError)
    assert str(done.exception).startswith("ci-x-1 has no verdict: interrupted in up")


def test_wait_ends_at_its_deadline(tmp_path: Path) -> None:
    folder = add(tmp_path, "ci-x-1")

    with folder.locked("run"):
        done = invoke(tmp_path, "wait", "--timeout", "1s")

    assert isinstance(done.exception, DeadlineExceeded)


def test_wait_for_a_killed_run_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    add(tmp_path, "ci-x-1", step="up", clusters={"c1": Presence.MADE}, store="/s")

    done = invoke(tmp_path, "wait")

    assert str(done.exception) == "ci-x-1: interrupted in up; e2e down --resume ci-x-1"


def test_kubeconfig_is_the_path(tmp_path: Path) -> None:
    folder = add(tmp_path, "ci-x-1", clusters={"c1": Presence.UP})
    folder.write_cluster("c1", Cluster("c1", Path("/somewhere/kubeconfig"), "v1.36.3"))

    assert invoke(tmp_path, "kubeconfig").output == "/somewhere/kubeconfig\n"


@pytest.mark.parametrize("verb", ["run", "test"])
def test_time_that_is_none_is_a_usage_error(tmp_path: Path, verb: str) -> None:
    done = CliRunner().invoke(cli, [verb, "x", "--timeout", "soon"], env={"E2E_STATE_DIR": str(tmp_path)})

    assert (done.exit_code, "--timeout" in done.output) == (2, True)


def test_run_has_every_option_of_the_design() -> None:
    shown = CliRunner().invoke(cli, ["run", "--help"]).output

    for option in (
        "--artifacts DIR", "--results URI", "--build ID", "--keep [never|on-failure|always]", "--select EXPR",
        "--focus RE", "--skip RE", "--workers N", "--timeout TIME", "--log-format", "-v, --verbose", "--dry-run", "--offline",
    ):  # fmt: skip
        assert option in " ".join(shown.split())


def test_names_of_runs_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click import Argument, Context

    from e2e.cli._options import RunParam

    add(tmp_path, "ci-x-1")
    add(tmp_path, "ci-y-2")
    monkeypatch.setenv("E2E_STATE_DIR", str(tmp_path))
    param = Argument(["run"])

    found = RunParam().shell_complete(Context(cli), param, "ci-x")

    assert [item.value for item in found] == ["ci-x-1"]
