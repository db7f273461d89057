from __future__ import annotations

import pytest

from dashboard_feed import show

NOW_S = 1_795_367_000  # 2026-11-22 17:03:20


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "[sig-apps] Job should complete [Conformance] [Slow]",
            ("[sig-apps]", "Job should complete", "[Conformance] [Slow]"),
        ),
        ("[sig-apps] Job should complete", ("[sig-apps]", "Job should complete", "")),
        ("Up", ("", "Up", "")),
        ("a [b] c", ("", "a [b] c", "")),
        ("[only][tags]", ("", "[only][tags]", "")),
        ("", ("", "", "")),
        ("[a] " * 500, ("", "[a] " * 500, "")),
    ],
)
def test_test_names_fall_into_parts(name: str, expected: tuple[str, str, str]) -> None:
    assert tuple(show.name_parts(name)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, show.NO_VALUE),
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations(seconds: float | None, expected: str) -> None:
    assert show.duration(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 B"), (999, "999 B"), (1400, "1.4 kB"), (20_400_000, "20 MB"), (10**13, "10000 GB")]
)
def test_sizes(count: int, expected: str) -> None:
    assert show.size(count) == expected


def test_times_are_utc() -> None:
    shown = [f(NOW_S) for f in (show.stamp, show.iso, show.day, show.clock, show.moment)]

    assert shown == ["2026-11-22 17:03", "2026-11-22T17:03:20Z", "22 Nov", "17:03", "22 Nov 17:03"]


def test_the_latest_time_that_is_read_can_be_shown() -> None:
    assert show.stamp(253_402_300_799) == "9999-12-31 23:59"


def test_counts_have_their_plural() -> None:
    assert [show.count(1, "party", "parties"), show.count(2, "party", "parties"), show.count(1200, "test")] == [
        "1 party",
        "2 parties",
        "1,200 tests",
    ]
