from __future__ import annotations

import signal
import threading

import pytest

from providers.contracts import Deadline
from providers.fanout import WORKERS, Limit, together
from upload.errors import DeadlineExceeded, ProviderError


def within(seconds: float = 10.0) -> Deadline:
    return Deadline.after(seconds, "the jobs")


def test_all_jobs_are_waited_for_and_failures_are_handed_back() -> None:
    error = ProviderError("no")

    def fail(_limit: Limit) -> int:
        raise error

    results = together({"a": lambda _: 1, "b": fail, **{str(n): lambda _: 2 for n in range(WORKERS * 2)}}, within())

    assert results == {"a": 1, "b": error, **{str(n): 2 for n in range(WORKERS * 2)}}
    assert list(results)[:2] == ["a", "b"]


def test_nothing_to_do_is_done() -> None:
    assert together({}, within()) == {}


def test_the_waiting_thread_is_the_one_that_tells() -> None:
    seen: list[threading.Thread] = []

    together({"a": lambda _: 1}, within(), lambda: seen.append(threading.current_thread()))

    assert set(seen) == {threading.current_thread()}


@pytest.mark.parametrize("how", ["deadline", "interrupt"])
def test_a_broken_wait_stops_every_job(how: str) -> None:
    ended: list[str] = []

    def job(limit: Limit) -> None:
        try:
            while True:
                limit.check()
                threading.Event().wait(0.01)
        finally:
            ended.append("x")

    def interrupt() -> None:
        if how == "interrupt":
            raise KeyboardInterrupt

    expected = KeyboardInterrupt if how == "interrupt" else DeadlineExceeded
    with pytest.raises(expected):
        together({"a": job, "b": job}, within(0.3 if how == "deadline" else 10), interrupt)

    assert ended == ["x", "x"]


def test_a_wait_that_a_signal_breaks_off_waits_for_the_job_all_the_same() -> None:
    ended: list[str] = []

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def job(limit: Limit) -> None:
        threading.Event().wait(0.05)  # the other thread waits by then
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        try:
            while True:
                limit.check()
                threading.Event().wait(0.1)
        finally:
            ended.append("x")

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            together({"a": job}, within())
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert ended == ["x"]
