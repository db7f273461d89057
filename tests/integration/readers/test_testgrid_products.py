"""What we compute as TestGrid does, against what TestGrid's own updater and summarizer compute from the same bucket."""

from __future__ import annotations

import json
import random
import struct
import time
from typing import Any

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Job
from dashboard_feed.collect import read_bucket
from dashboard_feed.testgrid.alerts import AlertRule, alert_of
from dashboard_feed.testgrid.cells import Rows, Value, make_rows
from dashboard_feed.testgrid.flakiness import meter
from dashboard_feed.testgrid.state import render_grid
from dashboard_feed.testgrid.summary import Tab, render_summary
from tests.support.gcs import Bucket, make_bucket
from tests.support.testgrid import Cell, TestGrid
from upload.model import Put

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

JOB = "ci-kubernetes-e2e-mine"
EVERY_S = 9 * 3600  # thirty builds are more than the seven days over which TestGrid looks
TEXTS = ("Timeout", "expected 3, got 2", "é" * 100, "a\nb " * 60, "x" * 139, "x" * 140, "x" * 141)


def case(name: str, chance: random.Random) -> str:
    """One test in one build: by its number more or less often failed, retried, skipped or left out."""
    kind = int(name.removeprefix("case ")) % 6
    outcome = chance.choices(
        ("passed", "failed", "retried", "skipped", "missing"),
        ((9, 1, 1, 0, 0), (3, 5, 2, 1, 1), (1, 9, 0, 0, 0), (5, 4, 0, 0, 0), (0, 0, 3, 3, 1), (8, 3, 1, 0, 4))[kind],
    )[0]
    passed = f'<testcase name="{name}" time="1.5"/>'
    failed = f'<testcase name="{name}" time="3"><failure>{chance.choice(TEXTS)}</failure></testcase>'
    skipped = f'<testcase name="{name}" time="0"><skipped>{chance.choice(("", "no nodes"))}</skipped></testcase>'
    return {"passed": passed, "failed": failed, "retried": failed + passed, "skipped": skipped, "missing": ""}[outcome]


def put_builds(bucket: Bucket, now_s: int, *, builds: int = 30, tests: int = 40) -> None:
    chance = random.Random(7)
    for index in range(builds):
        started = now_s - 600 - index * EVERY_S
        outage = index in (3, 11)
        cases = "".join(
            f'<testcase name="case {n}" time="1"><failure>no cluster</failure></testcase>'
            if outage
            else case(f"case {n}", chance)
            for n in range(tests)
        )
        passed = not outage and chance.random() < 0.4
        objects = {
            "started.json": json.dumps({"timestamp": started, "repo-commit": f"commit{index // 3:03}"}),
            "artifacts/junit_01.xml": f"<testsuite>{cases}</testsuite>",
            "finished.json": json.dumps({"timestamp": started + 60, "passed": passed, "result": "x"}),
        }
        if index == 0:
            del objects["finished.json"]
        for name, text in objects.items():
            path = f"logs/{JOB}/{20260722000000 + builds - index}/{name}"
            bucket.store().put(Put(path, text.encode(), "text/plain"))


@pytest.fixture(scope="module")
def now_s() -> int:
    return int(time.time())


@pytest.fixture(scope="module")
def testgrid(gcs_server: str, now_s: int, tmp_path_factory: pytest.TempPathFactory) -> TestGrid:
    bucket = make_bucket(gcs_server)
    put_builds(bucket, now_s)
    tab = {"health_analysis_options": {"enable": True, "days_of_analysis": 7}}
    return TestGrid(bucket, JOB, f"logs/{JOB}", tmp_path_factory.mktemp("testgrid"), tab)


@pytest.fixture(scope="module")
def grid(testgrid: TestGrid) -> Any:
    return testgrid.update(
        num_failures_to_alert=2,
        num_passes_to_disable_alert=2,
        num_columns_recent=5,
        column_header=[{"configuration_value": "Commit"}],
    )


@pytest.fixture(scope="module")
def summary(testgrid: TestGrid, grid: Any) -> dict[str, Any]:
    return testgrid.summarize()


@pytest.fixture(scope="module")
def job(testgrid: TestGrid, now_s: int) -> Job:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", testgrid.bucket.endpoint)
        read = read_bucket(BucketSpec(f"{testgrid.bucket.uri}/logs/", "mine:"), match=None, now_s=now_s)
    assert read.findings == ()
    return read.jobs[0]


@pytest.fixture(scope="module")
def rows(job: Job, now_s: int) -> Rows:
    return make_rows(job.builds, now_s)


def test_cells_are_those_of_the_updater(grid: Any, rows: Rows) -> None:
    ours = {
        name: tuple(Cell(c.value.name, c.icon, c.message) if c else Cell(Value.NO_RESULT.name) for c in cells)
        for name, cells in rows.cells.items()
    }

    assert tuple(column.build.number for column in rows.columns) == grid.builds
    assert ours == dict(grid.rows)
    assert list(ours) == list(grid.rows)


def test_flakiness_is_that_of_the_summarizer(summary: dict[str, Any], rows: Rows, now_s: int) -> None:
    theirs = {test["display_name"]: test["flakiness"] for test in summary["healthiness"]["tests"]}
    told = meter(rows)
    found = {name: told.of(name, end_s=now_s) for column in rows.columns for name in column.row_of}
    ours = {name: each.testgrid for name, each in found.items() if each and each.testgrid is not None}
    del theirs[f"{JOB}.Overall"]

    assert ours == {name: single(percent) for name, percent in theirs.items()}
    assert len({round(percent) for percent in ours.values()}) > 10


def single(number: float) -> float:
    """JSON has the shortest decimal of a number in single precision."""
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded


def test_alerts_are_those_of_the_updater(summary: dict[str, Any], rows: Rows) -> None:
    theirs = {
        alert["display_name"]: (
            alert["fail_count"],
            alert["fail_build_id"],
            alert["latest_fail_build_id"],
            alert["pass_build_id"],
        )
        for alert in summary["failing_test_summaries"]
    }
    commits = [column.build.commit for column in rows.columns]
    found = {name: alert_of(cells, AlertRule(2, 2)) for name, cells in rows.cells.items()}
    ours = {
        name: (
            alert.failures,
            commits[alert.first_bad],
            commits[alert.latest_bad],
            commits[alert.last_good] if alert.last_good is not None else "",
        )
        for name, alert in found.items()
        if alert
    }

    assert ours == theirs
    assert 5 < len(ours) < len(found)


@pytest.fixture(scope="module")
def both(testgrid: TestGrid, summary: dict[str, Any], rows: Rows) -> tuple[dict[str, Any], dict[str, Any]]:
    """The stored grid of the updater, and ours in its place."""
    theirs = testgrid.stored_grid()
    testgrid.store_grid(render_grid(rows, AlertRule(2, 2)))
    return theirs, testgrid.stored_grid()


def test_our_state_is_that_of_the_updater(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = both
    minutes = [metric.pop("values") for grid in (theirs, ours) for row in grid["rows"] for metric in row["metrics"]]
    half = len(minutes) // 2

    assert ours["columns"] == theirs["columns"]
    assert ours["rows"] == theirs["rows"]
    assert minutes[half:] == [pytest.approx(values) for values in minutes[:half]]


def test_the_summarizer_makes_of_our_state_what_it_made_of_the_updaters(
    testgrid: TestGrid, summary: dict[str, Any], both: object
) -> None:
    again = testgrid.summarize()

    kept = {key: value for key, value in summary.items() if key not in UNSTEADY}
    assert {key: value for key, value in again.items() if key not in UNSTEADY} == kept
    ranked, before = (
        sorted(each["healthiness"]["tests"], key=lambda t: str(t["display_name"])) for each in (again, summary)
    )
    assert ranked == before


def test_our_summary_is_that_of_the_summarizer(
    testgrid: TestGrid, summary: dict[str, Any], rows: Rows, now_s: int
) -> None:
    tab = Tab("tab", rows, AlertRule(2, 2), stale_after_s=86_400)
    ours = testgrid.read_summary(render_summary("provider-example", [tab], now_s))

    told = {key: value for key, value in summary.items() if key not in (*UNSTEADY, "linked_issues")}
    assert {key: ours[key] for key in told} == told


# when it was written, by whose clock; read from a channel for each row that a break leaves out of step
UNSTEADY = ("last_update_timestamp", "healthiness", "latest_green")
