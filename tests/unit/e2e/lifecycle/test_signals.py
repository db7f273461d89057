"""Signals are counted always and raised only where a step may be cut. Real signals, sent to this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from e2e.lifecycle.signals import Signals, StepCut
from providers.contracts import Deadline
from upload.errors import DeadlineExceeded, Interrupted, ProviderError

LONG = 30.0


@pytest.fixture
def signals() -> Iterator[Signals]:
    # what is ignored at the start stays ignored, and tests may run under nohup
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with Signals() as made:
            yield made
    finally:
        signal.signal(signal.SIGHUP, before)


def send(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def soon(seconds: float = LONG) -> Deadline:
    return Deadline.after(seconds, "up")


def wait() -> None:
    time.sleep(LONG)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_outside_of_a_region_is_only_counted(signals: Signals, number: int) -> None:
    send(number)

    assert signals.received == [number]


def test_first_signal_cuts_a_region_that_asks_for_one(signals: Signals) -> None:
    def work() -> None:
        send(signal.SIGINT)
        wait()

    with pytest.raises(Interrupted) as caught:
        signals.cuttable(work, soon(), at=1)

    assert caught.value.signal == signal.SIGINT


def test_signal_that_came_before_cuts_the_region_at_once(signals: Signals) -> None:
    send()

    with pytest.raises(Interrupted):
        signals.cuttable(wait, soon(), at=1)


def test_region_that_asks_for_two_signals_is_not_cut_by_one(signals: Signals) -> None:
    def work() -> str:
        send()
        return "done"

    assert signals.cuttable(work, soon(), at=2) == "done"
    with pytest.raises(Interrupted):
        signals.cuttable(work, soon(), at=2)


def test_deadline_cuts_a_call_that_blocks(signals: Signals) -> None:
    with pytest.raises(DeadlineExceeded, match=r"up was not done after 0.05 s"):
        signals.cuttable(wait, soon(0.05), at=1)


def test_grace_lets_a_region_end_by_itself(signals: Signals) -> None:
    def work() -> str:
        send()
        time.sleep(0.05)
        return "ended well"

    assert signals.cuttable(work, soon(), at=1, grace_s=LONG) == "ended well"


def test_grace_ends(signals: Signals) -> None:
    def work() -> None:
        send()
        wait()

    began = time.monotonic()
    with pytest.raises(Interrupted):
        signals.cuttable(work, soon(), at=1, grace_s=0.1)

    assert time.monotonic() - began < LONG / 2


def test_library_that_catches_every_exception_does_not_swallow_the_cut(signals: Signals) -> None:
    def work() -> None:
        send()
        while True:
            try:
                wait()
            except Exception:
                continue

    with pytest.raises(Interrupted):
        signals.cuttable(work, soon(), at=1)


def test_cut_that_was_swallowed_comes_again() -> None:
    swallowed = []

    def work() -> None:
        try:
            send()
            wait()
        except StepCut as cut:
            swallowed.append(cut)
        wait()

    with Signals(again_s=0.05) as signals, pytest.raises(Interrupted):
        signals.cuttable(work, soon(), at=1)

    assert len(swallowed) == 1


def test_error_of_what_was_cut_becomes_a_note(signals: Signals) -> None:
    def work() -> None:
        try:
            send()
            wait()
        finally:
            raise ProviderError("the child was killed")

    with pytest.raises(Interrupted) as caught:
        signals.cuttable(work, soon(), at=1)

    assert caught.value.__notes__ == ["while it was stopped: the child was killed"]


def test_error_of_a_region_that_was_not_cut_stays_itself(signals: Signals) -> None:
    def work() -> None:
        raise ProviderError("no")

    with pytest.raises(ProviderError, match="no"):
        signals.cuttable(work, soon(), at=1)


def test_cut_waits_until_the_books_are_written(signals: Signals) -> None:
    written = []

    def work() -> None:
        with signals.held():
            send()
            time.sleep(0.01)
            written.append("whole line")
        wait()

    with pytest.raises(Interrupted):
        signals.cuttable(work, soon(), at=1)

    assert written == ["whole line"]


def test_each_signal_is_told_once_and_never_within_the_books(signals: Signals) -> None:
    told: list[int] = []
    signals.on_signal = told.append

    with signals.held():
        send()
        within = list(told)
    send(signal.SIGINT)

    assert (within, told) == ([], [1, 2])


def test_timer_of_somebody_else_is_put_back(signals: Signals) -> None:
    signal.setitimer(signal.ITIMER_REAL, 500)
    try:
        signals.cuttable(lambda: None, soon(), at=1)

        assert 400 < signal.getitimer(signal.ITIMER_REAL)[0] <= 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)]
    with Signals():
        pass

    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)] == before


def test_run_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            send(signal.SIGHUP)

        assert signals.count == 0
    finally:
        signal.signal(signal.SIGHUP, before)


LEAVES = """
import os, signal, subprocess, sys, time
from e2e.lifecycle.signals import Signals
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
with Signals() as signals:
    signals.farewell = lambda: "left: a cluster"
    signals.groups.add(child.pid)
    for _ in range(3):
        with signals.held():
            print(child.pid, flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


def test_third_signal_leaves_from_anywhere_and_says_what_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVES], capture_output=True, text=True, timeout=30, check=False)

    child = int(done.stdout.splitlines()[0])
    assert (done.returncode, "left: a cluster" in done.stderr) == (130, True)
    assert eventually(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False
