"""How the pytest tester starts pytest, reads its codes, and completes what a killed one left."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from e2e.lifecycle.child import Command, Exit
from e2e.lifecycle.display import SuiteProgress
from e2e.lifecycle.permissions import LEAST, needs_of
from e2e.lifecycle.state import Tally
from e2e.lifecycle.tester_pytest import PytestTester, check_code, verdict
from e2e.lifecycle.testers import BrokenTester, SuitePlan
from providers.access import Need
from providers.contracts import Cluster
from upload.errors import Interrupted, Outcome, UsageError
from upload.model import Case

if TYPE_CHECKING:
    from e2e.lifecycle.testers import Tester


def make_plan(tmp_path: Path, **changes: object) -> SuitePlan:
    facts = {
        "run": "ci-x-1",
        "cluster": Cluster("c1", tmp_path / "kubeconfig", "v1.36.3"),
        "cluster_file": tmp_path / "c1.json",
        "artifacts": tmp_path / "artifacts",
        "work": tmp_path / "work",
        "secrets_file": tmp_path / "secrets.jsonl",
        "select": "a or b",
        "workers": 4,
    }
    return SuitePlan(**{**facts, **changes})  # type: ignore[arg-type]


def words(argv: tuple[str, ...], *flags: str) -> dict[str, str]:
    return {flag: argv[len(argv) - argv[::-1].index(flag)] for flag in flags if flag in argv}


def test_suite_runs_in_two_passes(tmp_path: Path) -> None:
    parallel, serial = PytestTester().describe(make_plan(tmp_path, focus="^x", skip="y"))

    flags = ("-m", "-n", "--e2e-run")
    assert words(parallel, *flags) == {
        "-m": "(a or b) and not serial", "-n": "4", "--e2e-run": "ci-x-1",
    }  # fmt: skip
    assert {word for word in parallel if word.startswith(("--e2e-focus", "--e2e-skip"))} == {
        "--e2e-focus=^x",  # one word each: a pattern that begins with a dash must never become an option
        "--e2e-skip=y",
    }
    assert words(serial, "-m", "-n") == {"-m": "(a or b) and serial", "-n": "0"}
    assert [Path(words(argv, "--junitxml")["--junitxml"]).name for argv in (parallel, serial)] == [
        "junit_01.1.xml",
        "junit_02.1.xml",
    ]


def test_settings_and_folder_of_the_caller_are_not_read(tmp_path: Path) -> None:
    argv, _ = PytestTester().describe(make_plan(tmp_path))

    settings = Path(words(argv, "-c")["-c"])
    assert (argv[1], str(settings.parent) in argv, settings.is_file()) == ("-P", True, True)


def test_suite_lies_where_it_lies_also_below_a_folder_with_a_dollar(tmp_path: Path) -> None:
    suite = tmp_path / "it's $HOME" / "suite"
    suite.mkdir(parents=True)
    (suite / "pytest.ini").write_text("[pytest]\n")
    (suite / "test_one.py").write_text("def test_one(): pass\n")
    argv, _ = PytestTester(suite=suite).describe(make_plan(tmp_path))
    begin = argv[: argv.index("-m", argv.index("-m") + 1)]  # up to what only the plugin knows

    done = subprocess.run([*begin, "--collect-only", "-q"], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "test_one.py::test_one"), done.stderr


@dataclass
class CollectingHost:
    """Runs nothing: writes what pytest would, and ends as it is told to."""

    ended: Exit
    declared: str = "[]"
    argv: tuple[str, ...] = ()

    def run(self, command: Command) -> Exit:
        self.argv = tuple(command.argv)
        if self.ended.stopped is None:
            Path(words(self.argv, "--e2e-needs")["--e2e-needs"]).write_text(self.declared)
        return self.ended

    def programs(self, names: Iterable[str], version: str) -> Mapping[str, Path]:
        raise AssertionError("it brings its own")

    def on_tick(self, look: Callable[[], None]) -> None:
        raise AssertionError("nothing to look at")

    def suite(self, progress: SuiteProgress) -> None:
        raise AssertionError("nothing runs")

    def case_ended(self, case: Case) -> None:
        raise AssertionError("nothing runs")

    def note(self, text: str) -> None:
        raise AssertionError(text)


@pytest.mark.parametrize("code", [0, 1, 5], ids=["collected", "a-file-does-not-import", "nothing-selected"])
def test_needs_are_those_of_both_passes(tmp_path: Path, code: int) -> None:
    (tmp_path / "work").mkdir()
    host = CollectingHost(Exit(code, ""), '["get pods", "get /metrics"]')
    plan = make_plan(tmp_path, focus="-x")

    assert PytestTester().needs(plan, host) == (Need("get", "pods"), Need("get", "/metrics"))
    assert words(host.argv, "-m", "--e2e-cluster") == {"-m": "a or b", "--e2e-cluster": str(plan.cluster_file)}
    assert {"--collect-only", "--e2e-focus=-x"} <= set(host.argv)
    assert "--e2e-events" not in host.argv


@pytest.mark.parametrize(
    ("ended", "declared", "error"),
    [
        pytest.param(Exit(-2, "", Interrupted(15)), "", Interrupted, id="stopped"),
        pytest.param(Exit(4, "what is this?"), "", UsageError, id="usage"),
        pytest.param(Exit(3, "oh no"), "", BrokenTester, id="internal"),
        pytest.param(Exit(0, ""), "", BrokenTester, id="empty"),
        pytest.param(Exit(0, ""), '["Pods"]', BrokenTester, id="malformed"),
    ],
)
def test_needs_that_pytest_cannot_tell_are_an_error(
    tmp_path: Path, ended: Exit, declared: str, error: type[Exception]
) -> None:
    (tmp_path / "work").mkdir()

    with pytest.raises(error):
        PytestTester().needs(make_plan(tmp_path), CollectingHost(ended, declared))


def test_tester_that_cannot_tell_needs_the_least(tmp_path: Path) -> None:
    class Deaf:
        test = salvage = describe = PytestTester.describe

    deaf = cast("Tester", Deaf())

    assert needs_of(deaf, make_plan(tmp_path), CollectingHost(Exit(0, ""))) == LEAST


@pytest.mark.parametrize("code", [0, 1, 5])
def test_code_that_tells_of_cases_is_returned(code: int) -> None:
    assert check_code(Exit(code, "")) == code


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        pytest.param(2, BrokenTester, "pytest ended with code 2: bye", id="interrupted-by-itself"),
        pytest.param(3, BrokenTester, "pytest ended with code 3: bye", id="internal"),
        pytest.param(4, UsageError, "pytest refused to start: bye", id="usage"),
        pytest.param(-9, BrokenTester, "pytest was killed, and not by us: out of memory?", id="killed"),
        pytest.param(137, BrokenTester, "pytest was killed, and not by us: out of memory?", id="killed-in-a-shell"),
    ],
)
def test_other_codes_are_errors(code: int, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        check_code(Exit(code, "hello\nbye\n\n"))


SOME = Tally(3, 2, 1, 0, ("x",))
STOPPED = Interrupted(15)


@pytest.mark.parametrize(
    ("codes", "tally", "stopped", "outcome"),
    [
        pytest.param([0, 5], Tally(2, 2), None, Outcome.PASSED, id="passed"),
        pytest.param([5, 0], Tally(1, 1), None, Outcome.PASSED, id="only-serial"),
        pytest.param([1, 0], SOME, None, Outcome.TESTS_FAILED, id="failed"),
        pytest.param([5, 5], Tally(), None, Outcome.USAGE, id="nothing"),
        pytest.param([], Tally(), STOPPED, Outcome.PASSED, id="cut-before-the-first-case"),
        pytest.param([0], SOME, STOPPED, Outcome.TESTS_FAILED, id="cut-after-a-failure"),
        pytest.param([1, 0], Tally(1, 1), None, Outcome.TESTS_FAILED, id="code-without-events"),
    ],
)
def test_codes_and_cases_make_the_verdict(
    codes: list[int], tally: Tally, stopped: Interrupted | None, outcome: Outcome
) -> None:
    assert verdict(codes, tally, stopped=stopped).outcome is outcome
