from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_feed.clusters.normalize import (
    _MAP,
    _TIME,
    _UNIQUE,
    CUT,
    _sorted_map,
    cluster_id,
    common_spans,
    normalize,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the table of triage/summarize/text_test.go and what its comments promise
        ("0x1234 a 123.13.45.43 b 2e24e003-9ffd-4e78-852c-9dcb6cbef493-123", "UNIQ1 a UNIQ2 b UNIQ3"),
        ("Mon, 12 January 2017 11:34:35 blah blah", "TIMEblah blah"),
        ("123.45.68.12:345 abcd1234eeee", "UNIQ1 UNIQ2"),
        ("foobarbaz 10.0.0.1 10.0.0.2 10.0.0.1", "foobarbaz UNIQ1 UNIQ2 UNIQ1"),
        ("Nov 22 10:11:12.345: INFO", "TIME: INFO"),
        ("2026-11-22T10:11:12.345Z", "TIMEZ"),
        ("minion-group-x9k2 default-pool-0a-b", "UNIQ1 UNIQ2"),
        ("map[b:2 a:1 c:3] map[]", "map[a:1 b:2 c:3] map[]"),
        ("abc\n 5 10:20:30", "TIME"),
        ("", ""),
        ("a\n\nb\n", "a\n\nb\n"),
    ],
)
def test_what_differs_from_run_to_run_goes(text: str, expected: str) -> None:
    assert normalize(text) == expected


PIECES = [
    "10.0.0.1",
    "0xab",
    "Nov 2 10:11:12",
    "abc",
    "\n",
    " ",
    "5 1:2:3",
    "deadbeefdead",
    "map[b a]",
    "2026-11-22 10:11:12",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_lines_apart_are_as_the_whole_at_once(text: str) -> None:
    whole = _MAP.sub(_sorted_map, _TIME.sub("TIME", text))
    seen: dict[str, str] = {}
    numbered = _UNIQUE.sub(lambda found: seen.setdefault(found[0], f"UNIQ{len(seen) + 1}"), whole)

    assert normalize(text) == numbered


def test_a_long_text_loses_repeated_lines_then_its_middle() -> None:
    repeated = "the same line\n" * 2000 + "the end"
    different = "".join(f"line {n}\n" for n in range(5000))

    assert normalize(repeated) == "the same line\nthe end"
    assert len(normalize(different)) == 10_000 + len(CUT)


@pytest.mark.parametrize(
    "text",
    [
        "abc\n" + "\n" * 40_000,
        "abc" + " " * 40_000,
        "1" * 40_000,
        "map[" * 10_000,
        "Mon, 1" + "1" * 40_000,
        "a." * 20_000,
    ],
    ids=["newlines", "blanks", "digits", "maps", "a date without end", "dots"],
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    normalize(text)

    assert time.process_time() - started < 2


def test_an_id_is_that_of_triage() -> None:
    """The value of TestMakeNgramCountsDigest in triage/summarize/text_test.go."""
    assert cluster_id("some string") == "eddb950347d1eb05b5d7"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        # triage/summarize/text_test.go, TestCommonSpans
        (["an exact match", "an exact match"], [14]),
        (["some example string", "some other string"], [5, 7, 7]),
        (["a", "b"], [0, 1]),
        ([""], []),
    ],
)
def test_spans_tell_what_texts_have_in_common(texts: list[str], expected: list[int]) -> None:
    assert common_spans(texts) == expected
