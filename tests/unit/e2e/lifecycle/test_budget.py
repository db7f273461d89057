"""Each step has its own time; the total bounds the ones before the clean-up."""

from __future__ import annotations

import pytest

from e2e.lifecycle.budget import job_budget
from tests.unit.e2e.lifecycle.fakes import Clock

TIMEOUTS = {"build": 20, "up": 10, "test": 60, "dump": 5, "down": 5, "publish": 5, "total": 100}


@pytest.mark.parametrize(
    ("step", "spent", "remaining"),
    [
        pytest.param("up", 0, 10, id="own-time"),
        pytest.param("build", 90, 10, id="total-cuts-the-build"),
        pytest.param("test", 95, 5, id="total-cuts-the-suite"),
        pytest.param("test", 200, 0, id="total-is-over"),
        pytest.param("dump", 200, 5, id="dump-keeps-its-own"),
        pytest.param("down", 200, 5, id="down-keeps-its-own"),
        pytest.param("publish", 200, 5, id="publish-keeps-its-own"),
    ],
)
def test_step_gets_its_time_within_the_total(step: str, spent: float, remaining: float) -> None:
    clock = Clock()
    budget = job_budget(TIMEOUTS, test_s=None, clock=clock)
    clock.now += spent

    assert budget.deadline(step).remaining_s() == remaining


def test_timeout_of_the_command_line_lengthens_the_total() -> None:
    clock = Clock()
    budget = job_budget(TIMEOUTS, test_s=600, clock=clock)
    clock.now += 10

    assert budget.deadline("test").remaining_s() == 600


def test_shorter_timeout_leaves_the_total() -> None:
    budget = job_budget(TIMEOUTS, test_s=1, clock=Clock())

    assert (budget.deadline("test").remaining_s(), budget.total_s) == (1, 100)


def test_deadline_of_the_total_says_so() -> None:
    clock = Clock()
    budget = job_budget(TIMEOUTS, test_s=None, clock=clock)
    clock.now += 99

    assert budget.deadline("test").what == "test (the run's total)"
