"""The JUnit of a suite whose pytest was killed, or whose cases had several attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.suite_junit import write_junit
from upload.junit import read_junit
from upload.model import Case, Severity, Status

SUITE = '<testsuites><testsuite name="pytest" tests="{count}">{cases}</testsuite></testsuites>'
NAME, WHERE = "[sig-x] A should work", "suite.test_x"
ENDED = Case(NAME, Status.PASSED, 1.0, classname=WHERE)


def suite_file(path: Path, *names: str, text: str = "no") -> Path:
    cases = "".join(
        f'<testcase name="{name}" classname="{WHERE}" time="1.0"><failure>{text}</failure></testcase>' for name in names
    )
    path.write_text(SUITE.format(count=len(names), cases=cases))
    return path


def read(path: Path) -> list[tuple[str, str, Status]]:
    junit = read_junit(path, name=path.name)
    assert [each for each in junit.findings if each.severity is Severity.ERROR] == []
    return [(case.name, case.classname, case.status) for case in junit.cases]


CUT = '<testsuites><testsuite name="pytest"><testcase'
BROKEN = "<testsuites><testsuite><</testsuite></testsuites>"


@pytest.mark.parametrize("left", [None, "", CUT, BROKEN], ids=["none", "empty", "cut", "no-xml"])
def test_junit_of_a_killed_suite_is_made_from_its_events(tmp_path: Path, left: str | None) -> None:
    if left is not None:
        (tmp_path / "1.xml").write_text(left)
    second = suite_file(tmp_path / "2.xml", NAME)

    write_junit([(tmp_path / "1.xml", [ENDED]), (second, [])], tmp_path / "junit_01.xml")

    assert read(tmp_path / "junit_01.xml") == [(NAME, WHERE, Status.PASSED), (NAME, WHERE, Status.FAILED)]


@pytest.mark.parametrize("left", [None, "", CUT], ids=["none", "empty", "cut"])
def test_attempt_in_which_nothing_finished_is_left_out(tmp_path: Path, left: str | None) -> None:
    first = suite_file(tmp_path / "1.xml", NAME)
    if left is not None:
        (tmp_path / "2.xml").write_text(left)

    write_junit([(first, []), (tmp_path / "2.xml", [])], tmp_path / "junit_01.xml")

    assert (tmp_path / "junit_01.xml").read_bytes() == first.read_bytes()


def test_suite_in_which_nothing_finished_leaves_no_junit(tmp_path: Path) -> None:
    write_junit([(tmp_path / "1.xml", [])], tmp_path / "junit_01.xml")

    assert not (tmp_path / "junit_01.xml").exists()


def test_attempts_are_joined_in_their_order_however_long_their_texts(tmp_path: Path) -> None:
    first = suite_file(tmp_path / "1.xml", NAME, "[sig-x] B should work", text="x" * 11_000_000)

    write_junit([(first, []), (suite_file(tmp_path / "2.xml", NAME), [])], tmp_path / "junit_01.xml")

    assert [name for name, *_ in read(tmp_path / "junit_01.xml")] == [NAME, "[sig-x] B should work", NAME]
