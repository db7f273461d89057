"""A suite is followed through its events file while it is being written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from e2e.lifecycle.progress import SuiteFollower
from e2e.lifecycle.state import Tally
from tests.unit.e2e.lifecycle.fakes import Clock
from upload.model import Case, Status


def write(file: Path, *events: dict[str, Any], end: str = "\n") -> None:
    with file.open("a") as stream:
        stream.write("\n".join(json.dumps(event) for event in events) + end)


def ended(name: str, status: str = "passed", text: str = "") -> dict[str, Any]:
    return {"event": "finished", "name": name, "status": status, "seconds": 1.5, "text": text}


def make(tmp_path: Path, base: Tally | None = None) -> tuple[SuiteFollower, Path, list[Case]]:
    cases: list[Case] = []
    file = tmp_path / "events.jsonl"
    return SuiteFollower(file, cases.append, base=base or Tally(), clock=Clock()), file, cases


def test_suite_that_has_not_begun_is_empty(tmp_path: Path) -> None:
    follower, _, _ = make(tmp_path)

    assert follower.look().tally == Tally()


def test_cases_are_counted_as_they_end(tmp_path: Path) -> None:
    follower, file, cases = make(tmp_path)
    write(file, {"event": "collected", "total": 4}, {"event": "started", "name": "a", "at_s": 5.0})
    first = follower.look()
    write(
        file,
        ended("a"),
        {"event": "started", "name": "b", "at_s": 6.0},
        ended("b", "failed", "no"),
        ended("c", "skipped"),
    )
    write(file, {"event": "started", "name": "d", "at_s": 7.0})

    last = follower.look()

    assert (first.tally, dict(first.running)) == (Tally(total=4), {"a": 5.0})
    assert (last.tally, dict(last.running)) == (Tally(4, 1, 1, 1, ("b",)), {"d": 7.0})
    assert cases == [
        Case("a", Status.PASSED, 1.5),
        Case("b", Status.FAILED, 1.5, text="no"),
        Case("c", Status.SKIPPED, 1.5),
    ]


def test_half_written_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    follower, file, _ = make(tmp_path)
    line = json.dumps(ended("a"))
    with file.open("a") as stream:
        stream.write(line[:20])
        stream.flush()
        before = follower.look().tally.done
        stream.write(line[20:] + "\n")

    assert (before, follower.look().tally.done) == (0, 1)


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    follower, file, _ = make(tmp_path)
    file.write_bytes(b'\xff\xfe\n[1]\n"x"\n{"event": "other"}\n{"event": "finished", "name": "a", "status": "odd"}\n')

    assert follower.look().tally == Tally(total=1, failed=1, failed_names=("a",))


def test_file_that_cannot_be_collected_is_a_failed_case(tmp_path: Path) -> None:
    follower, file, _ = make(tmp_path)
    problem = {"event": "problem", "name": "apps/test_x.py", "text": "SyntaxError"}
    write(file, problem, problem, {"event": "collected", "total": 1}, ended("a"))

    tally = follower.look().tally

    assert tally == Tally(2, 1, 1, 0, ("[suite] apps/test_x.py should be collected",))
    assert follower.problems == ["apps/test_x.py"]


def test_second_pass_counts_on(tmp_path: Path) -> None:
    follower, file, _ = make(tmp_path, base=Tally(2, 1, 1, 0, ("x",)))
    write(file, {"event": "collected", "total": 1}, ended("a", "failed"))

    assert follower.look().tally == Tally(3, 1, 2, 0, ("x", "a"))


@pytest.mark.parametrize(
    ("total", "ended_cases", "eta_s"),
    [
        pytest.param(10, 2, None, id="two"),
        pytest.param(10, 3, 14.0, id="three"),
        pytest.param(161, 32, None, id="not-a-fifth"),
        pytest.param(160, 32, 24.0, id="a-fifth"),
    ],
)
def test_remaining_time_is_told_once_enough_cases_ended(
    total: int, ended_cases: int, eta_s: float | None, tmp_path: Path
) -> None:
    follower, file, _ = make(tmp_path)
    clock = follower.clock
    assert isinstance(clock, Clock)
    write(file, {"event": "collected", "total": total})
    follower.look()
    clock.now += 6
    write(file, *(ended(f"case {number}") for number in range(ended_cases)))

    assert follower.look().eta_s == eta_s


def test_leftovers_are_kept(tmp_path: Path) -> None:
    follower, file, _ = make(tmp_path)
    write(file, {"event": "leftover", "kind": "ClusterRole", "name": "left"})
    follower.look()

    assert follower.leftovers == ["ClusterRole left"]


def test_last_attempt_says_how_a_case_ended(tmp_path: Path) -> None:
    follower, file, _ = make(tmp_path)
    broken = {"event": "problem", "name": "test_x.py", "text": "SyntaxError"}
    write(file, broken, {"event": "collected", "total": 4})
    write(file, ended("a"), ended("b", "failed"), ended("c", "failed"), ended("d", "skipped"))
    write(file, {"event": "leftover", "kind": "Namespace", "name": "n"})
    first, again = follower.look().tally, follower.to_repeat()
    write(file, {"event": "collected", "total": 2}, ended("c"), ended("b", "failed", "still"))
    write(file, {"event": "leftover", "kind": "Namespace", "name": "n"})

    last = follower.look().tally

    uncollected = "[suite] test_x.py should be collected"
    assert (first, again) == (Tally(5, 1, 3, 1, (uncollected, "b", "c")), ["b", "c"])
    assert (last, follower.to_repeat()) == (Tally(5, 2, 2, 1, (uncollected, "b"), flaky=1), ["b"])
    assert [[case.name for case in attempt] for attempt in follower.attempts] == [
        [uncollected, "a", "b", "c", "d"],
        ["c", "b"],
    ]
    assert follower.leftovers == ["Namespace n"]
