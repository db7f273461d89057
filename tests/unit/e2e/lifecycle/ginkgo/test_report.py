"""Ginkgo's JUnit is cut down to the cases that were selected."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.ginkgo.report import take_report

REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="6"><testsuite name="Kubernetes e2e suite"><properties><property name="a" value="b"/></properties>
<testcase name="[SynchronizedBeforeSuite]" status="passed" time="1"/>
<testcase name="[It] passed" status="passed" time="1"/>
<testcase name="[It] failed" status="failed" time="1"><failure type="failed">why</failure><system-err>out</system-err></testcase>
<testcase name="[It] not selected" status="skipped" time="0"><skipped message="skipped"/></testcase>
<testcase name="[It] skipped" status="skipped" time="0"><skipped message="skipped - no ssh"/></testcase>
<testcase name="[It] cut" status="interrupted" time="0"><error type="interrupted" message=""/></testcase>
</testsuite></testsuites>"""
SELECTED = ["[SynchronizedBeforeSuite]", "[It] passed", "[It] failed", "[It] skipped"]


@pytest.mark.parametrize(
    ("was_stopped", "expected"),
    [
        pytest.param(True, SELECTED, id="cut-by-us"),
        pytest.param(False, [*SELECTED, "[It] cut"], id="cut-by-somebody-is-a-failure"),
    ],
)
def test_only_what_was_selected_and_ended_is_kept(tmp_path: Path, was_stopped: bool, expected: list[str]) -> None:
    report, whole = tmp_path / "report.xml", tmp_path / "whole.xml"
    report.write_text(REPORT)

    cases = take_report(report, whole, was_stopped=was_stopped)

    assert cases is not None
    assert [case.name for case in cases] == expected
    assert (whole.read_text().count("<testcase"), whole.read_text().endswith("</testsuites>")) == (len(expected), True)


@pytest.mark.parametrize("content", [None, b"", REPORT[:300].encode()], ids=["none", "empty", "half"])
def test_report_that_is_not_whole_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "report.xml").write_bytes(content)

    assert take_report(tmp_path / "report.xml", tmp_path / "whole.xml", was_stopped=False) is None
    assert not (tmp_path / "whole.xml").exists()
