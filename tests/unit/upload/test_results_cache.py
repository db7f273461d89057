"""jobResultsCache.json keeps the format that is found, the newest last, and loses no entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.documents import CacheEntry
from upload.results_cache import CacheFormat, has_entry, merge_cache, parse_cache
from upload.rules.documents import check_cache

LINES_2016 = b"""[
{"version": "v1.2.0", "buildnumber": "8", "result": "SUCCESS"},
{"version": "v1.2.1", "buildnumber": "9", "result": "FAILURE"}
]
"""


def entry(number: int) -> CacheEntry:
    return CacheEntry(str(number), "v1.36.3", True, "SUCCESS")


def numbers(body: bytes | None) -> list[str]:
    return [e["buildnumber"] for e in parse_cache(body or b"").entries if isinstance(e, dict)]


def test_new_job_gets_the_list_of_2017(golden: Callable[[str, bytes], None]) -> None:
    body = merge_cache(merge_cache(None, entry(1)), CacheEntry("2", "v1.36.4", False, "ABORTED"))

    golden("jobResultsCache.json", body or b"")


def test_lines_of_2016_stay_lines(golden: Callable[[str, bytes], None]) -> None:
    golden("jobResultsCache-2016.json", merge_cache(LINES_2016, entry(10)) or b"")


def test_bare_lines_stay_bare_lines() -> None:
    bare = b"\n".join(LINES_2016.splitlines()[1:3]).replace(b"},", b"}") + b"\n"

    merged = merge_cache(bare, entry(10)) or b""

    assert merged == bare + b'{"version": "v1.36.3", "buildnumber": "10", "result": "SUCCESS"}\n'
    assert parse_cache(merged).format is CacheFormat.BARE_LINES


@pytest.mark.parametrize("existing", [b"", b"{}", b"null", b"<html>", b"[" * 100_000, b"\xff"], ids=repr)
def test_cache_that_cannot_be_read_is_begun_anew(existing: bytes) -> None:
    assert numbers(merge_cache(existing[:100_000], entry(5))) == ["5"]


def test_lines_that_can_be_read_of_a_damaged_cache_are_kept() -> None:
    damaged = LINES_2016.replace(b'"9", "result": "FAILURE"}\n]', b'"9", "resu')

    assert parse_cache(damaged).damaged
    assert numbers(merge_cache(damaged, entry(10))) == ["8", "10"]


def test_entry_that_is_there_changes_nothing() -> None:
    assert merge_cache(LINES_2016, entry(9)) is None
    assert merge_cache(b'[{"buildnumber": 9}]', entry(9)) is None


def test_late_publisher_is_put_before_newer_builds() -> None:
    body = merge_cache(merge_cache(merge_cache(None, entry(1)), entry(3)), entry(2))

    assert numbers(body) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("existing", "kept"),
    [
        (json.dumps([{"buildnumber": str(n), "result": "SUCCESS"} for n in range(1000, 1400)]).encode(), 300),
        (b"[\n" + b",\n".join(b'{"version": "v", "buildnumber": "%d", "result": "SUCCESS"}' % n for n in range(1000, 1400)) + b"\n]\n", 200),
    ],
    ids=["list", "lines"],
)  # fmt: skip
def test_cache_keeps_its_last_builds(existing: bytes, kept: int) -> None:
    found = numbers(merge_cache(existing, entry(5000)))

    assert (len(found), found[-1]) == (kept, "5000")
    assert merge_cache(existing, entry(5)) is None


def test_order_of_publishers_does_not_matter() -> None:
    bodies = set()
    for order in permutations(range(1, 6)):
        body: bytes | None = None
        for number in order:
            body = merge_cache(body, entry(number))
        bodies.add(body)

    assert len(bodies) == 1


@given(st.binary(max_size=300))
def test_any_bytes_are_merged_into_a_cache_that_breaks_no_rule_of_form(existing: bytes) -> None:
    merged = merge_cache(existing, entry(7))

    assert merged is None or has_entry(merged, "7")
    assert merged is None or not [f for f in check_cache("c", merged) if f.rule == "cache.json"]
