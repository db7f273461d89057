from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Literal

import pytest

from e2e.plugin.events import EventReporter

WHERE = ("test_x.py", 3, "[sig-x] It should work")


def report(
    when: Literal["setup", "call", "teardown"],
    outcome: Literal["passed", "failed", "skipped"] = "passed",
    text: Any = None,
    seconds: float = 1.0,
) -> pytest.TestReport:
    return pytest.TestReport("test_x.py::t", WHERE, {}, outcome, text, when, duration=seconds)


def run(file: Path, *reports: pytest.TestReport) -> list[dict[str, Any]]:
    events = EventReporter(file, clock=lambda: 1700000000.1234)
    events.pytest_runtest_logstart("test_x.py::t", WHERE)
    for each in reports:
        events.pytest_runtest_logreport(each)
    events.pytest_unconfigure()
    return [json.loads(line) for line in file.read_text().splitlines()]


def finished(status: str, text: str, seconds: float) -> dict[str, Any]:
    facts = {"status": status, "seconds": seconds, "text": text}
    return {"event": "finished", "name": WHERE[2], "classname": "test_x", **facts}


STARTED = {"event": "started", "name": WHERE[2], "at_s": 1700000000.123}


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        pytest.param([report("setup"), report("call"), report("teardown")], [finished("passed", "", 3.0)], id="passed"),
        pytest.param(
            [report("setup"), report("call", "failed", "boom"), report("teardown")],
            [finished("failed", "boom", 3.0)],
            id="failed",
        ),
        pytest.param(
            [report("setup", "failed", "no setup"), report("teardown")],
            [finished("failed", "no setup", 2.0)],
            id="setup-failed",
        ),
        pytest.param(
            [report("setup"), report("call"), report("teardown", "failed", "torn")],
            [finished("failed", "torn", 3.0)],
            id="teardown-failed",
        ),
        pytest.param(
            [report("setup", "skipped", ("f", 1, "Skipped: no dns")), report("teardown")],
            [finished("skipped", "no dns", 2.0)],
            id="skipped",
        ),
        pytest.param([report("setup")], [], id="cut"),
    ],
)
def test_case_ends_in_one_line(
    tmp_path: Path, reports: list[pytest.TestReport], expected: list[dict[str, Any]]
) -> None:
    assert run(tmp_path / "events.jsonl", *reports) == [STARTED, *expected]


def test_crashed_worker_ends_its_case(tmp_path: Path) -> None:
    # as xdist makes it: no title, and no teardown follows
    crash = pytest.TestReport("test_x.py::t", ("test_x.py", None, "test_x.py"), {}, "failed", "crashed", "???")  # type: ignore[arg-type]

    assert run(tmp_path / "events.jsonl", crash) == [STARTED, finished("failed", "crashed", 0)]


def test_file_is_for_the_owner_only(tmp_path: Path) -> None:
    run(tmp_path / "deep" / "events.jsonl")

    assert stat.S_IMODE((tmp_path / "deep" / "events.jsonl").stat().st_mode) == 0o600


def test_nothing_is_written_where_no_file_was_asked_for() -> None:
    EventReporter(None).write("collected", total=3)
