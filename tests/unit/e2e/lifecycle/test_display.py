"""What is shown where there is no terminal: plain lines at a bounded rate, or JSON lines."""

from __future__ import annotations

import io
import json

import pytest

from e2e.lifecycle.display import Display, JsonDisplay, PlainDisplay, QuietStream, SuiteProgress, make_display
from e2e.lifecycle.live import LiveDisplay
from e2e.lifecycle.state import Tally
from providers.releases.sources import Progress
from tests.unit.e2e.lifecycle.fakes import Clock
from upload.model import Case, Status, StepRecord

HALF = SuiteProgress(Tally(10, 3, 1, 1, ("x",)), {"y": 5.0}, eta_s=12.4)


def show_a_run(display: Display, clock: Clock) -> None:
    display.step_began("Up")
    for done in range(30):
        clock.now += 1
        display.progress(Progress("etcd", done * 1_000_000, 30_000_000, "bytes"))
    display.step_ended(StepRecord("Up", 1, 30.0))
    display.case_ended(Case("fine", Status.PASSED, 1.0))
    display.case_ended(Case("broken", Status.FAILED, 2.0, text="why"))
    clock.now += 60
    display.suite(HALF)
    display.suite(HALF)
    display.output("dots\n")
    display.step_ended(StepRecord("Test", 1, 3.0, "1 failed\ntry: this"))
    display.note("the end")


def test_plain_lines_have_the_time_and_a_bounded_rate() -> None:
    stream, clock = io.StringIO(), Clock()

    show_a_run(PlainDisplay(stream, clock=clock, now_s=lambda: 0.0), clock)

    assert stream.getvalue().splitlines() == [
        "00:00:00Z Up ...",
        "00:00:00Z etcd: 9.0 of 30.0 MB",
        "00:00:00Z etcd: 19.0 of 30.0 MB",
        "00:00:00Z etcd: 29.0 of 30.0 MB",
        "00:00:00Z Up done (30.0 s)",
        "00:00:00Z failed broken (2.0 s)",
        "00:00:00Z 5 of 10 done, 1 failed, 1 skipped, 1 running, about 12 s left",
        "00:00:00Z Test FAILED (3.0 s)",
        "00:00:00Z 1 failed",
        "00:00:00Z try: this",
        "00:00:00Z the end",
    ]


def test_verbose_plain_lines_have_every_case_and_the_output() -> None:
    stream, clock = io.StringIO(), Clock()

    show_a_run(PlainDisplay(stream, verbose=True, clock=clock, now_s=lambda: 0.0), clock)

    lines = stream.getvalue().splitlines()
    assert {"00:00:00Z passed fine (1.0 s)", "00:00:00Z failed broken (2.0 s)", "dots"} <= set(lines)


def test_json_lines_are_objects_with_event_and_time() -> None:
    stream, clock = io.StringIO(), Clock()

    show_a_run(JsonDisplay(stream, clock=clock, now_s=lambda: 7.5), clock)

    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {event["at_s"] for event in events} == {7.5}
    kinds = [event["event"] for event in events if event["event"] != "progress"]
    assert kinds == ["step-began", "step-ended", "case-ended", "case-ended", "suite", "step-ended", "note"]
    assert next(event for event in events if event["event"] == "suite") == {
        "at_s": 7.5, "event": "suite", "total": 10, "passed": 3, "failed": 1, "skipped": 1, "running": ["y"], "eta_s": 12.4,
    }  # fmt: skip


def test_live_display_leaves_what_ended_as_lines() -> None:
    stream = io.StringIO()
    display = LiveDisplay(stream)
    try:
        show_a_run(display, Clock())
    finally:
        display.close()

    text = stream.getvalue()
    for said in ("Up", "30.0 s", "broken", "1 failed", "the end"):
        assert said in text


@pytest.mark.parametrize(
    ("log_format", "kind"), [("auto", PlainDisplay), ("plain", PlainDisplay), ("json", JsonDisplay)]
)
def test_display_is_chosen_by_the_option_and_the_terminal(log_format: str, kind: type) -> None:
    assert isinstance(make_display(log_format, verbose=False, stream=io.StringIO()), kind)


class Gone(io.StringIO):
    """A pipe whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_terminal_that_is_gone_does_not_matter() -> None:
    stream = QuietStream(Gone())
    stream.write("hello")
    stream.flush()

    make_display("plain", verbose=False, stream=Gone()).note("hello")
