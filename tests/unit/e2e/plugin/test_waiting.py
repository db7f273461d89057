from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest

from e2e.plugin.waiting import NotInTime, Waiting


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.now += seconds

    def waiting(self) -> Waiting:
        return Waiting(clock=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def sequence(*values: object) -> Callable[[], object]:
    """Return or raise one value after the other, then the last one for ever."""

    def endless() -> Iterator[object]:
        yield from values
        while True:
            yield values[-1]

    source = endless()

    def step() -> object:
        value = next(source)
        if isinstance(value, Exception):
            raise value
        return value

    return step


def test_eventually_returns_the_first_value_that_fits(clock: Clock) -> None:
    value = clock.waiting().eventually(sequence(1, 2, 3, 4), until=lambda n: n == 3)

    assert (value, clock.pauses) == (3, [0.05, 0.075])


def test_eventually_looks_ever_more_slowly(clock: Clock) -> None:
    with pytest.raises(NotInTime):
        clock.waiting().eventually(sequence(0), timeout_s=8)

    assert clock.pauses[:4] == [0.05, 0.075, 0.113, 0.169]
    assert max(clock.pauses) == 1.0
    assert clock.now == pytest.approx(8)


@pytest.mark.parametrize(
    "error",
    [httpx2.ConnectError("refused"), AssertionError("not yet"), AttributeError("x"), KeyError("x"), TypeError("None")],
    ids=lambda error: type(error).__name__,
)
def test_eventually_takes_an_error_for_not_yet(clock: Clock, error: Exception) -> None:
    assert clock.waiting().eventually(sequence(error, "there")) == "there"


def test_eventually_takes_an_error_of_the_condition_for_not_yet(clock: Clock) -> None:
    found = clock.waiting().eventually(sequence({}, {"a": 1}), until=lambda value: value["a"])  # type: ignore[index]

    assert found == {"a": 1}


def test_eventually_raises_what_is_no_answer_of_a_cluster(clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError):
        clock.waiting().eventually(sequence(ZeroDivisionError()))


def test_eventually_shows_the_last_observation_and_error(clock: Clock) -> None:
    with pytest.raises(NotInTime) as caught:
        clock.waiting().eventually(
            sequence(["a"], ValueError), until=lambda _: dict[str, str]()["x"], timeout_s=1, what="b comes"
        )

    assert str(caught.value).splitlines() == [
        "not within 1 s: b comes",
        "last observation: <class 'ValueError'>",
        "last error: KeyError: 'x'",
    ]
    assert isinstance(caught.value.__cause__, KeyError)


def test_eventually_cuts_a_long_observation_in_the_middle(clock: Clock) -> None:
    with pytest.raises(NotInTime) as caught:
        clock.waiting().eventually(sequence("x" * 9000), until=lambda _: False, timeout_s=0)

    assert "characters …" in str(caught.value)
    assert len(str(caught.value)) < 5000


def test_consistently_returns_when_the_condition_held(clock: Clock) -> None:
    assert clock.waiting().consistently(sequence(1), until=lambda n: n == 1, for_s=0.5) == 1
    assert clock.now == pytest.approx(0.5)


def test_consistently_fails_when_the_condition_breaks(clock: Clock) -> None:
    with pytest.raises(NotInTime, match=r"only held for 0\.2 of 1 s: stays\nlast observation: 2"):
        clock.waiting().consistently(sequence(1, 1, 2), until=lambda n: n == 1, what="stays")


def test_consistently_raises_errors(clock: Clock) -> None:
    with pytest.raises(KeyError):
        clock.waiting().consistently(sequence(1, KeyError("gone")))
