"""Exit code and JUnit of a command make the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.child import Exit
from e2e.lifecycle.state import Tally
from e2e.lifecycle.tester_command import CommandSettings, CommandTester, environment, read_left, verdict
from providers.contracts import Cluster
from tests.support.tester_host import DirectHost, make_suite_plan
from upload.errors import Interrupted, Outcome, UsageError

GREEN = '<testsuite><testcase name="[a] b" time="1"/></testsuite>'
RED = '<testsuite><testcase name="[a] b" time="1"><failure>why</failure></testcase></testsuite>'
FLAKY = '<testsuite><testcase name="[a] b" time="1"><flakyFailure>why</flakyFailure></testcase></testsuite>'
STOPPED = Interrupted(15)


@pytest.mark.parametrize(
    ("ended", "junit", "outcome", "text"),
    [
        pytest.param(Exit(0, ""), {"junit.xml": GREEN}, Outcome.PASSED, "", id="green"),
        pytest.param(Exit(0, ""), {"deep/er/junit_x.xml": FLAKY}, Outcome.PASSED, "", id="flaky"),
        pytest.param(Exit(0, ""), {"junit.xml": RED}, Outcome.TESTS_FAILED, "1 of 1 cases failed", id="red-with-code-0"),
        pytest.param(Exit(1, ""), {"a/junit.xml": GREEN, "b/junit.xml": RED}, Outcome.TESTS_FAILED, "1 of 2 cases failed", id="same-name-in-two-files"),
        pytest.param(Exit(3, ""), {"junit.xml": GREEN}, Outcome.TESTS_FAILED, "the command ended with code 3, and no case failed", id="green-with-code-3"),
        pytest.param(Exit(3, ""), {}, Outcome.TESTS_FAILED, "the command ended with code 3, and it left no case", id="nothing-with-code-3"),
        pytest.param(Exit(-9, ""), {"junit.xml": GREEN}, Outcome.TESTS_FAILED, "the command was killed by signal 9, and no case failed", id="killed"),
        pytest.param(Exit(0, ""), {"results.xml": GREEN}, Outcome.USAGE, "the command left no JUnit in $ARTIFACTS (junit*.xml): nothing was tested", id="none"),
        pytest.param(Exit(0, ""), {"junit.xml": "<testsuite/>"}, Outcome.USAGE, "the command left JUnit without a case in $ARTIFACTS (junit*.xml): nothing was tested", id="no-case"),
        pytest.param(Exit(-2, "", STOPPED), {}, Outcome.PASSED, "", id="stopped-before-the-first"),
        pytest.param(Exit(-2, "", STOPPED), {"junit.xml": RED}, Outcome.TESTS_FAILED, "1 of 1 cases failed", id="stopped-after-a-failure"),
        pytest.param(Exit(-2, "", STOPPED), {"junit.xml": GREEN[:-12]}, Outcome.PASSED, "", id="stopped-while-it-wrote"),
    ],
)  # fmt: skip
def test_code_and_cases_make_the_verdict(
    tmp_path: Path, ended: Exit, junit: dict[str, str], outcome: Outcome, text: str
) -> None:
    for name, content in junit.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)

    result = verdict(ended, read_left(tmp_path))

    assert (result.outcome, result.text) == (outcome, text)


def test_junit_that_is_cut_is_a_failure_although_what_is_there_passed(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(GREEN[:-12])

    result = verdict(Exit(0, ""), read_left(tmp_path))

    assert (result.outcome, result.tally) == (Outcome.TESTS_FAILED, Tally(1, 1))
    assert result.text.startswith("JUnit cannot be read: junit.xml: the file is cut: line 1")


def test_links_and_folders_are_no_junit(tmp_path: Path) -> None:
    outside = tmp_path / "outside.xml"
    outside.write_text(RED)
    folder = tmp_path / "command"
    (folder / "junit_x.xml").mkdir(parents=True)
    (folder / "junit.xml").symlink_to(outside)

    assert read_left(folder).files == 0
    assert read_left(tmp_path / "none").files == 0


def test_environment_tells_the_command_what_it_needs(tmp_path: Path) -> None:
    cluster = Cluster("c1", tmp_path / "kubeconfig", "v1.36.3", kubectl=tmp_path / "bin" / "kubectl")
    plan = make_suite_plan(tmp_path, cluster=cluster, env={"PATH": "/bin", "X": "y"})

    assert environment(plan, tmp_path / "a") == {
        "X": "y",
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "ARTIFACTS": str(tmp_path / "a"),
        "E2E_RUN": "ci-x-1",
        "E2E_KUBERNETES": "v1.36.3",
        "E2E_WORKERS": "4",
        "PATH": f"{tmp_path}/bin:/bin",
    }


def test_program_that_is_not_there_is_a_wrong_config(tmp_path: Path) -> None:
    tester = CommandTester(CommandSettings(command=["no-such-program"]))

    with pytest.raises(UsageError, match=r"^suite\.command: there is no program no-such-program$"):
        tester.test(make_suite_plan(tmp_path, env={"PATH": "/bin"}), DirectHost({}))
