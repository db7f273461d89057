"""What TestGrid's own programs make of our builds, and of builds that break a rule. Source: consumers.md, section 6."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support.gcs import Bucket, make_bucket
from tests.support.testgrid import Cell, TestGrid
from upload.censor import Censor
from upload.claim import claim
from upload.documents import Started
from upload.layout import pull_prefix
from upload.model import BuildRef, Put
from upload.publish_folder import FolderRequest, publish_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

JOB = "ci-kubernetes-e2e-mine"
OVERALL = f"{JOB}.Overall"
VERSION = "v1.36.3+0123456789abcdef"
REPORT = (
    '<testsuites><testsuite name="pytest"><properties><property name="a" value="1"/></properties>'
    "{}</testsuite></testsuites>"
)
PASSES = '<testcase classname="c" name="[sig-apps] passes" time="1.5"/>'
SKIPS = '<testcase classname="c" name="[sig-apps] skips" time="0"><skipped message="why"/></testcase>'
BREAKS = '<testcase classname="c" name="[sig-apps] breaks" time="1"><error message="boom">trace</error></testcase>'
WAVERS = (
    '<testcase classname="c" name="[sig-apps] wavers" time="1"><failure>first</failure></testcase>'
    '<testcase classname="c" name="[sig-apps] wavers" time="1"/>'
)
PASS = Cell("PASS")


@pytest.fixture
def grid(bucket: Bucket, tmp_path: Path) -> TestGrid:
    return TestGrid(bucket, JOB, f"logs/{JOB}", tmp_path)


class Publisher:
    """Publishes builds an hour ago, a second apart."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._store, self._folder, self._count = bucket.store(), folder, 0
        self.now_s = int(time.time()) - 3600

    def __call__(self, cases: str, *, prefix: str = "logs", **metadata: str) -> str:
        """Publish a build with these cases and return its id."""
        self._count += 1
        folder = self._folder / f"{self._count}"
        folder.mkdir(parents=True)
        (folder / "junit_01.xml").write_text(REPORT.format(cases))
        wanted = BuildRef(prefix, JOB, "")
        now_s = self.now_s + self._count
        request = FolderRequest(folder, wanted, "node", now_s, VERSION, tuple(metadata.items()))
        done = publish_folder(request, self._store, censor=Censor(), state=self._folder / "state")
        return done.prepared.plan.build.number


@pytest.fixture
def publish(bucket: Bucket, tmp_path: Path) -> Publisher:
    return Publisher(bucket, tmp_path / "published")


def test_published_builds_become_the_columns_and_cells_that_were_meant(grid: TestGrid, publish: Publisher) -> None:
    first = publish(PASSES, suite="a")
    second = publish(PASSES + WAVERS + SKIPS, suite="b")
    third = publish(PASSES + BREAKS)

    shown = grid.update(column_header=[{"configuration_value": "Commit"}, {"configuration_value": "suite"}])

    assert shown.builds == (third, second, first)
    assert shown.headers == (("012345678", "missing"), ("012345678", "b"), ("012345678", "a"))
    assert shown.column(first) == {OVERALL: PASS, "[sig-apps] passes": PASS}
    assert shown.column(second) == {
        OVERALL: PASS,
        "[sig-apps] passes": PASS,
        "[sig-apps] wavers": Cell("FLAKY", "1/2", "1/2 runs passed: first"),
    }
    assert shown.column(third) == {
        OVERALL: Cell("FAIL"),
        "[sig-apps] passes": PASS,
        "[sig-apps] breaks": Cell("FAIL", "F", "boom\ntrace"),
    }


def test_summary_counts_what_was_published(grid: TestGrid, publish: Publisher) -> None:
    publish(PASSES)
    publish(PASSES)
    grid.update()

    summary = grid.summarize()

    assert (summary["overall_status"], summary["failing_test_summaries"]) == ("PASS", [])
    assert summary["status"] == "2 of 2 (100.0%) recent columns passed (4 of 4 or 100.0% cells)"


def test_claimed_build_is_shown_as_running(grid: TestGrid, publish: Publisher, bucket: Bucket) -> None:
    started = Started(publish.now_s, "node", VERSION)
    build = claim(bucket.store(), BuildRef("logs", JOB, ""), started, now_s=publish.now_s)

    assert grid.update().column(build.number) == {OVERALL: Cell("RUNNING", "R", "Build still running...")}


STARTED = {"node": "n", "version": VERSION}
FINISHED = {"passed": True, "result": "SUCCESS", "version": VERSION, "metadata": {}}
MALFORMED = Cell("FAIL", "E", "Malformed artifacts: artifacts/junit_01.xml: ")
NOT_READ = Cell("TOOL_FAIL", "", "Failed to download ")


def junit(text: str) -> dict[str, object]:
    return {"artifacts/junit_01.xml": text.encode()}


def case(attributes: str) -> dict[str, object]:
    return junit(f"<testsuite><testcase {attributes}/></testsuite>")


# rule -> objects that break it, and what TestGrid then shows for the whole build (the message as it begins)
BROKEN: dict[str, tuple[dict[str, object], Cell]] = {
    "started.timestamp": ({"started.json": STARTED | {"timestamp": "1"}}, NOT_READ),
    "started.repos": ({"started.json": STARTED | {"repos": {"a": {"b": "c"}}}}, NOT_READ),
    "started.text": ({"started.json": STARTED | {"repo-commit": ["a"]}}, NOT_READ),
    "started.json": ({"started.json": b"{"}, NOT_READ),
    "finished.timestamp": ({"finished.json": FINISHED | {"timestamp": 1.5}}, NOT_READ),
    "finished.metadata": ({"finished.json": FINISHED | {"metadata": ["a"]}}, NOT_READ),
    "finished.text": ({"finished.json": FINISHED | {"job-version": 1}}, NOT_READ),
    "finished.verdict": ({"finished.json": {"result": "SUCCESS"}}, Cell("PASS", "E", 'finished.json missing "passed"')),
    "finished.json": ({"finished.json": b'{"timestamp": 1, "pas'}, NOT_READ),
    "junit.time": (case('name="a" time="1,000.5"'), MALFORMED),
    "junit.control": (case('name="a\x01" time="1"'), MALFORMED),
    "junit.xml": (junit("<testsuite><testcase"), MALFORMED),
    "junit.dtd": (junit('<!DOCTYPE x [<!ENTITY a "b">]><testsuite>&a;</testsuite>'), MALFORMED),
    "junit.name": ({"artifacts/deep/junit_02.xml": b"<"}, Cell("FAIL", "E", "Malformed artifacts: artifacts/deep/")),
}
UNBROKEN = "none"


def put_build(bucket: Bucket, number: str, changes: dict[str, object], now_s: int) -> None:
    """Write a build of another tool, good but for ``changes``."""
    good: dict[str, object] = {"started.json": STARTED, "finished.json": FINISHED, **case('name="a" time="1"')}
    for name, content in (good | changes).items():
        document = {"timestamp": now_s, **content} if isinstance(content, dict) else content
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        bucket.store().put(Put(f"logs/{JOB}/{number}/{name}", body, "text/plain"))


@pytest.fixture(scope="module")
def broken_builds(gcs_server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Cell]]:
    """The column of each broken build, by the rule that it breaks, from one run of the updater."""
    bucket, now_s = make_bucket(gcs_server), int(time.time()) - 3600
    numbers = {rule: str(number) for number, rule in enumerate((UNBROKEN, *BROKEN), 20260722000001)}
    for rule, number in numbers.items():
        put_build(bucket, number, BROKEN.get(rule, ({}, PASS))[0], now_s)
    grid = TestGrid(bucket, JOB, f"logs/{JOB}", tmp_path_factory.mktemp("testgrid")).update()
    return {rule: grid.column(number) for rule, number in numbers.items()}


@pytest.mark.parametrize("rule", [pytest.param(rule, marks=pytest.mark.rule(rule)) for rule in BROKEN])
def test_build_that_breaks_a_rule_is_shown_as_the_rule_says(
    broken_builds: dict[str, dict[str, Cell]], rule: str
) -> None:
    expected = BROKEN[rule][1]

    column = broken_builds[rule]

    (overall,) = (cell for row, cell in column.items() if row in ("Overall", OVERALL))
    assert (overall.result, overall.icon) == (expected.result, expected.icon)
    assert overall.message.startswith(expected.message)


def test_build_beside_broken_ones_is_shown_whole(broken_builds: dict[str, dict[str, Cell]]) -> None:
    assert broken_builds[UNBROKEN] == {OVERALL: PASS, "a": PASS}


@pytest.mark.rule("alias.link")
@pytest.mark.rule("alias.missing")
def test_builds_of_pull_requests_are_found_by_their_aliases(bucket: Bucket, publish: Publisher, tmp_path: Path) -> None:
    numbers = [publish(PASSES, prefix=pull_prefix(pull)) for pull in ("org_repo/7", "org_repo/8", "batch")]

    shown = TestGrid(bucket, JOB, f"pr-logs/directory/{JOB}", tmp_path).update()

    assert shown.builds == tuple(reversed(numbers))
    assert [shown.column(number) for number in numbers] == [{OVERALL: PASS, "[sig-apps] passes": PASS}] * 3
