"""Every rule with the readers that it breaks and how. The one place where a rule's id, severity and consequence stand.

Source: consumers.md sections 1 and 2; each entry there was seen in the reader's source or by running it.
"""

from __future__ import annotations

from dataclasses import dataclass

from upload.layout import printable
from upload.model import Finding, Severity

READERS = ("testgrid", "gubernator", "kettle", "test-history", "triage")

_ERROR = Severity.ERROR
_WARNING = Severity.WARNING


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``consequence``: what the readers do when it is broken."""

    readers: tuple[str, ...]
    severity: Severity
    consequence: str


RULES: dict[str, Rule] = {
    # the store
    "bucket.list": Rule(READERS, _ERROR, "no reader finds the builds"),
    "bucket.read": Rule(READERS, _ERROR, "no reader can show the builds"),
    # the tree
    "prefix.name": Rule(("testgrid", "gubernator", "kettle"), _ERROR, "the builds are not found below it"),
    "job.name": Rule(("testgrid", "gubernator", "kettle", "test-history"), _ERROR, "the job cannot be addressed"),
    "job.listed": Rule(("test-history",), _WARNING, "the job does not appear in test-history"),
    "build.id": Rule(
        ("test-history", "gubernator", "kettle", "triage"), _ERROR, "2016 test-history, both Gubernators, kettle and triage break"
    ),
    "build.width": Rule(
        ("kettle", "testgrid"), _ERROR, "kettle lets build 1 swallow the tests of build 10; TestGrid drops builds out of order"
    ),
    "object.name": Rule(("testgrid", "gubernator", "kettle", "test-history"), _ERROR, "the object cannot be read"),
    "object.unreadable": Rule(READERS, _ERROR, "no reader can read it either"),
    # started.json
    "started.missing": Rule(("testgrid", "gubernator"), _ERROR, "TestGrid shows RUNNING or loses all rows"),
    "started.json": Rule(("testgrid", "gubernator", "kettle"), _ERROR, "the build cannot be shown"),
    "started.timestamp": Rule(
        ("testgrid", "gubernator"), _ERROR, "TestGrid shows TOOL_FAIL, Gubernator answers 500 to a string"
    ),
    "started.version": Rule(("gubernator",), _ERROR, "2016 Gubernator answers 500"),
    "started.text": Rule(("testgrid",), _ERROR, "TestGrid shows TOOL_FAIL"),
    "started.repos": Rule(("testgrid",), _ERROR, "TestGrid shows TOOL_FAIL"),
    # finished.json
    "finished.missing": Rule(
        ("testgrid", "test-history", "kettle"), _WARNING, "test-history and kettle skip it, TestGrid shows RUNNING for 24 hours"
    ),
    "finished.late": Rule(("testgrid", "test-history", "kettle"), _ERROR, "TestGrid: Build did not complete within 24 hours"),
    "finished.json": Rule(
        ("test-history", "testgrid", "gubernator", "kettle"), _ERROR, "test-history stops collecting, for every bucket"
    ),
    "finished.timestamp": Rule(
        ("test-history", "testgrid", "gubernator"), _ERROR, "missing: test-history stops for every bucket; a string or float: TOOL_FAIL"
    ),
    "finished.verdict": Rule(
        ("testgrid", "gubernator", "kettle"), _ERROR, "TestGrid shows E or FAIL, Gubernator answers 500 with neither"
    ),
    "finished.metadata": Rule(
        ("gubernator", "kettle", "triage", "testgrid"), _ERROR, "Gubernator breaks, kettle drops the row, so triage loses the build"
    ),
    "finished.text": Rule(("testgrid",), _ERROR, "TestGrid shows TOOL_FAIL"),
    # the objects that builds share
    "cache.json": Rule(("gubernator",), _WARNING, "tools that look for green builds find none"),
    "cache.entry": Rule(("gubernator",), _WARNING, "tools that look for green builds miss it"),
    "cache.order": Rule(("gubernator",), _WARNING, "tools that take the last entry get an older build"),
    "latest.text": Rule(("test-history", "gubernator", "kettle"), _ERROR, "sequential readers find no build"),
    "latest.unfinished": Rule(("test-history", "kettle", "testgrid"), _ERROR, "readers open a build that is not complete"),
    "latest.behind": Rule(("test-history", "kettle"), _WARNING, "sequential readers do not see the newest build"),
    "latest.headers": Rule(("test-history", "gubernator"), _WARNING, "readers may see an old build for an hour"),
    # the aliases of pull requests' builds
    "alias.missing": Rule(("testgrid", "gubernator"), _ERROR, "the build of a pull request is not found by its job"),
    "alias.link": Rule(
        ("testgrid", "gubernator"), _ERROR, "TestGrid follows only the metadata, Gubernator only the text: the build is not found"
    ),
    # JUnit
    "junit.none": Rule(("test-history", "kettle", "testgrid"), _WARNING, "the build has no tests"),
    "junit.name": Rule(("gubernator", "test-history", "kettle"), _WARNING, "some readers read this file and others do not"),
    "junit.size": Rule(("testgrid",), _ERROR, "TestGrid does not read it"),
    "junit.empty": Rule(READERS, _ERROR, "every reader ignores it"),
    "junit.xml": Rule(
        READERS, _ERROR, "test-history and kettle ignore the file, 2016 Gubernator answers 500, TestGrid shows FAIL"
    ),
    "junit.dtd": Rule(("test-history", "gubernator", "kettle"), _ERROR, "a reader that refuses entities ignores the file"),
    "junit.root": Rule(
        ("test-history", "kettle", "testgrid"), _ERROR, "test-history shows each suite as one passing test; names get a prefix elsewhere"
    ),
    "junit.suite-name": Rule(
        ("gubernator", "kettle", "testgrid"), _WARNING, "the name becomes a prefix of its tests in some readers and not in others"
    ),
    "junit.counts": Rule(("gubernator",), _WARNING, "the totals of the suite are not shown"),
    "junit.properties": Rule(
        ("test-history", "gubernator"), _ERROR, "test-history crashes for every bucket, 2016 Gubernator answers 500"
    ),
    "junit.children": Rule(("test-history", "gubernator"), _ERROR, "test-history takes it for a test and crashes"),
    "junit.case-name": Rule(READERS, _ERROR, "the case cannot be shown"),
    "junit.time": Rule(
        ("test-history", "gubernator", "kettle", "testgrid"),
        _ERROR,
        "missing: test-history crashes for every bucket; malformed: kettle drops the row, TestGrid shows FAIL",
    ),
    "junit.error": Rule(("test-history", "gubernator", "kettle"), _ERROR, "every reader but TestGrid shows a pass"),
    "junit.skipped": Rule(("testgrid",), _WARNING, "TestGrid shows the case as passed with skips"),
    "junit.control": Rule(READERS, _ERROR, "the file is ignored, 2016 Gubernator answers 500, TestGrid shows FAIL"),
    "junit.ascii": Rule(("test-history",), _ERROR, "the 2017 test-history pages crash, for every bucket"),
}  # fmt: skip


def broken(rule: str, obj: str, what: str) -> Finding:
    """Return the finding that a rule is broken. ``obj`` and ``what`` may be hostile; they come out printable."""
    known = RULES[rule]
    return Finding(rule, printable(obj), printable(what), known.readers, known.severity)
