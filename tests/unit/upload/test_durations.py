from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.durations import parse_seconds, plain_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5", 1.5), ("0", 0), (".5", 0.5), ("5.", 5), ("3.3135e-05", 3.3135e-05), (" 2 ", 2),
        ("1,000.5", 1000.5), ("1,234", 1234), ("1,234,567.8", 1234567.8), ("0,015", 0.015), ("12,5", 12.5), ("1.234,5", 1234.5),
        ("1 234,5", 1234.5), ("1.5s", 1.5), ("150ms", 0.15), ("1m30s", 90), ("1h2m3.5s", 3723.5), ("01:02", 62), ("1:02:03.5", 3723.5),
        ("", None), ("nan", None), ("inf", None), ("-1", None), ("1e999", None), ("soon", None), ("1.2.3s", None), ("1e10", None),
        ("٣", None), ("0x10", None), ("9" * 1000, None),
    ],
)  # fmt: skip
def test_seconds_are_read_as_writers_spell_them(text: str, seconds: float | None) -> None:
    got = parse_seconds(text)

    assert got == (pytest.approx(seconds) if seconds is not None else None)


@given(st.text())
def test_any_text_is_seconds_or_none(text: str) -> None:
    got = parse_seconds(text)

    assert got is None or (math.isfinite(got) and got >= 0)


@pytest.mark.parametrize(
    ("seconds", "plain"),
    [(0, "0"), (1, "1"), (10, "10"), (100.0, "100"), (1.5, "1.5"), (3.3135e-05, "0.000033"), (1e-9, "0"),
     (1234567.891, "1234567.891"), (math.nan, "0"), (math.inf, "0"), (-1, "0"), (-0.0, "0")],
)  # fmt: skip
@pytest.mark.rule("junit.time")
def test_seconds_are_written_as_a_plain_decimal(seconds: float, plain: str) -> None:
    assert plain_seconds(seconds) == plain


@given(st.floats(min_value=0, max_value=1e9))
def test_writing_keeps_microseconds(seconds: float) -> None:
    assert parse_seconds(plain_seconds(seconds)) == pytest.approx(seconds, abs=1e-6)
