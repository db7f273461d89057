"""Steps are recorded with their time and their failure, however they end."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from e2e.lifecycle.signals import StepCut
from e2e.lifecycle.steps import Books, Recorder, failure_text, headline
from tests.unit.e2e.lifecycle.fakes import Clock, SeenDisplay, not_held
from upload.errors import CommandError, Interrupted, Outcome, ProviderError
from upload.model import StepRecord


def make_recorder() -> tuple[Recorder, list[str], list[tuple[StepRecord, ...]], Clock, SeenDisplay]:
    lines: list[str] = []
    saved: list[tuple[StepRecord, ...]] = []
    display, clock = SeenDisplay(), Clock()
    books = Books(display, lines.append, saved.append, not_held)
    return Recorder(books, clock=clock, now_s=lambda: 7.9), lines, saved, clock, display


def test_step_that_passes_is_recorded_saved_logged_and_shown() -> None:
    recorder, lines, saved, clock, display = make_recorder()

    with recorder.step("Up"), recorder.step("Start"):
        clock.now += 1.25

    inner, outer = StepRecord("Up: Start", 7, 1.25), StepRecord("Up", 7, 1.25)
    assert recorder.records == [inner, outer]
    assert saved == [(inner,), (inner, outer)]
    assert lines == ["Up: begins", "Up: Start: begins", "Up: Start: done after 1.2 s", "Up: done after 1.2 s"]
    assert display.seen == ["began Up", "began Up: Start", "ended Up: Start", "ended Up"]


def test_step_that_raises_is_recorded_with_message_hint_notes_and_output() -> None:
    recorder, lines, _, _, _ = make_recorder()
    error = CommandError(["etcd"], 1, "one\ntwo\n", hint="look there")
    error.add_note("while it was stopped")

    with pytest.raises(CommandError), recorder.step("Up"):
        raise error

    text = "etcd ended with code 1: two\nwhile it was stopped\ntry: look there"
    assert recorder.records == [StepRecord("Up", 7, 0.0, text, "one\ntwo\n", Outcome.PROVIDER)]
    assert lines[-1] == text


@pytest.mark.parametrize(
    ("error", "text", "outcome"),
    [
        pytest.param(ProviderError("no"), "no", Outcome.PROVIDER, id="ours"),
        pytest.param(KeyError("x"), "a bug of ours: KeyError: 'x'", Outcome.BUG, id="bug"),
        pytest.param(SystemExit(0), "a bug of ours: SystemExit: 0", Outcome.BUG, id="exit"),
    ],
)
def test_error_says_what_it_makes_of_the_run(error: BaseException, text: str, outcome: Outcome) -> None:
    recorder, *_ = make_recorder()

    with pytest.raises(type(error)), recorder.step("Up"):
        raise error

    assert (recorder.records[0].failure, recorder.records[0].outcome) == (text, outcome)


def test_cut_ends_every_open_step() -> None:
    recorder, _, _, _, display = make_recorder()

    with pytest.raises(StepCut), recorder.step("Up"), recorder.step("Start"):
        raise StepCut(Interrupted(15))
    with recorder.step("Dump"):
        pass

    cut: dict[str, Any] = {"failure": "stopped by signal 15", "outcome": Outcome.ABORTED}
    assert recorder.records == [
        StepRecord("Up: Start", 7, 0.0, **cut),
        StepRecord("Up", 7, 0.0, **cut),
        StepRecord("Dump", 7, 0.0),
    ]
    assert display.seen[-1] == "ended Dump"


def test_part_that_failed_and_was_overcome_is_no_failure() -> None:
    recorder, *_ = make_recorder()

    with recorder.step("Up"):
        for error in (ProviderError("the port is taken"), None):
            with contextlib.suppress(ProviderError), recorder.step("Start"):
                if error:
                    raise error

    assert recorder.records == [
        StepRecord("Up: Start", 7, 0.0, output_tail="the port is taken\n"),
        StepRecord("Up: Start", 7, 0.0),
        StepRecord("Up", 7, 0.0),
    ]


def test_verdict_fails_a_step_without_an_error() -> None:
    recorder, *_ = make_recorder()

    with recorder.step("Test"):
        recorder.keep_tail("x" * 10_000)
        recorder.mark_failed("1 of 2 cases failed", Outcome.TESTS_FAILED)

    (record,) = recorder.records
    assert (record.failure, record.outcome) == ("1 of 2 cases failed", Outcome.TESTS_FAILED)
    assert record.output_tail == "x" * 8_000


@pytest.mark.parametrize(
    ("error", "line"),
    [
        pytest.param(ProviderError("the cloud said no", hint="ask it"), "the cloud said no", id="one-line"),
        pytest.param(
            ProviderError("etcd cannot be had:\n  cache: not there\n  official: no answer", hint="check the network"),
            "etcd cannot be had: official: no answer",
            id="several-reasons",
        ),
        pytest.param(ProviderError("it does not build: a.go:1:2: x\na.go:1:2: x\nb.go:1:2: y"),
                     "it does not build: a.go:1:2: x", id="whole-first-line"),
        pytest.param(StepCut(Interrupted(15)), "stopped by signal 15", id="cut"),
        pytest.param(KeyError("x"), "a bug of ours: KeyError: 'x'", id="bug"),
    ],
)  # fmt: skip
def test_headline_is_what_was_tried_last_and_never_the_advice(error: BaseException, line: str) -> None:
    assert headline(error) == line


def test_failure_text_ends_with_what_to_try() -> None:
    error = ProviderError("etcd cannot be had:\n  official: no answer", hint="check the network")
    error.add_note("noted")

    assert failure_text(error) == "etcd cannot be had:\n  official: no answer\nnoted\ntry: check the network"
