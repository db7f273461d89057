"""A run's state survives the disk, whatever it holds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.lifecycle.state import Failure, Keep, Presence, RunState, Tally, build_moment, build_number
from upload.errors import Outcome, UsageError
from upload.model import StepRecord


def make_state(**changes: object) -> RunState:
    facts = {
        "run": "ci-x-20260101000000",
        "ref": "x",
        "job": {"job": "ci-x"},
        "command": "run",
        "artifacts": "/a",
        "owner": "me@here",
        "started_s": 1,
        "expires_s": 2,
        "keep": Keep.NEVER,
    }
    return RunState(**{**facts, **changes})  # type: ignore[arg-type]


steps = st.builds(
    StepRecord,
    st.text(),
    st.integers(),
    st.floats(0, 1e9),
    st.text(),
    st.text(),
    st.none() | st.sampled_from(Outcome),
)
failures = st.builds(Failure, st.text(), st.sampled_from(Outcome), st.text(), st.text())
tallies = st.builds(Tally, st.integers(), st.integers(), st.integers(), st.integers(), st.lists(st.text()).map(tuple))


@given(
    st.lists(steps).map(tuple),
    st.lists(failures).map(tuple),
    tallies,
    st.sampled_from(Presence),
    st.sampled_from(Keep),
)
def test_state_read_back_is_the_state_written(
    records: tuple[StepRecord, ...], failed: tuple[Failure, ...], tally: Tally, presence: Presence, keep: Keep
) -> None:
    state = make_state(steps=records, failures=failed, tally=tally, clusters={"c1": presence}, keep=keep)

    assert RunState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_state_of_another_format_is_refused() -> None:
    with pytest.raises(UsageError, match="format 99, this version writes 1"):
        RunState.from_json({**make_state().to_json(), "schema": 99})


@given(st.integers(0, 253402300799))
def test_build_number_and_its_moment_are_inverse(moment: int) -> None:
    if moment >= 10**9:  # below, the year has fewer digits on some systems
        assert build_moment(build_number(moment)) == moment


@pytest.mark.parametrize(
    ("state", "live", "needs_work"),
    [
        pytest.param(make_state(), False, True, id="just-begun"),
        pytest.param(make_state(ended_s=5), False, False, id="ended"),
        pytest.param(make_state(ended_s=5, clusters={"c1": Presence.UP}, kept=True), True, True, id="kept"),
        pytest.param(make_state(ended_s=5, clusters={"c1": Presence.GONE}), False, False, id="gone"),
        pytest.param(make_state(ended_s=5, claimed=True), False, True, id="not-published"),
        pytest.param(make_state(ended_s=5, claimed=True, published=True), False, False, id="published"),
    ],
)
def test_state_says_what_is_left_to_do(state: RunState, live: bool, needs_work: bool) -> None:
    assert (state.is_live, state.needs_work) == (live, needs_work)


def test_first_failure_decides() -> None:
    state = make_state(failures=(Failure("Up", Outcome.PROVIDER, "no"), Failure("Down", Outcome.BUG, "oh")))

    assert (make_state().outcome, state.outcome) == (Outcome.PASSED, Outcome.PROVIDER)
