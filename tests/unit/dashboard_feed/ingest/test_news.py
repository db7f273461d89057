from __future__ import annotations

from pathlib import Path

import pytest

from dashboard_feed.ingest.news import MOST_IDS, News, Wanted, find_news
from dashboard_feed.places import JobPlace
from dashboard_feed.warehouse.manifest import PlaceState
from upload.store import open_store

NOW_S = 1_800_000_000  # 2027-01-15
PLACE = JobPlace("j", "j/")
WANTED = Wanted(NOW_S, history=1000)


def news(root: Path, known: PlaceState, *ids: str, latest: str = "", wanted: Wanted = WANTED) -> News:
    for number in ids:
        (root / "j" / number).mkdir(parents=True)
        (root / "j" / number / "started.json").touch()
    if latest:
        (root / "j" / "latest-build.txt").write_text(latest)
    return find_news(open_store(str(root)), PLACE, known, wanted)


def known(newest: str, *, even: bool = True, whole_s: int = NOW_S - 7200) -> PlaceState:
    return PlaceState(newest, len(newest) if even else 0, whole_s)


def test_a_new_job_is_listed_whole_and_its_newest_builds_are_taken(tmp_path: Path) -> None:
    found = news(tmp_path, PlaceState(), "9", "10", "8", "007", "odd", wanted=Wanted(NOW_S, history=2))

    assert found == News(("9", "10"), PlaceState("", 0, NOW_S - 3600), older=1, odd=("007", "odd"), is_whole=True)


def test_ids_that_spell_a_time_too_old_to_be_kept_are_left_out(tmp_path: Path) -> None:
    wanted = Wanted(NOW_S, history=9, oldest_s=NOW_S - 86_400)

    found = news(tmp_path, PlaceState(), "20200101000000", "20270115000000", wanted=wanted)
    assert (found.numbers, found.older) == (("20270115000000",), 1)


def test_a_job_of_which_all_is_too_old_is_known_afterwards(tmp_path: Path) -> None:
    wanted = Wanted(NOW_S, history=9, oldest_s=NOW_S)

    assert news(tmp_path, PlaceState(), "20200101000000", wanted=wanted).known == known(
        "20200101000000", whole_s=NOW_S - 3600
    )


@pytest.mark.parametrize(
    ("newest", "even", "ids", "latest", "expected", "width"),
    [
        pytest.param("101", True, ["100", "101", "102"], "102", ["102"], 3, id="after the newest"),
        pytest.param("102", True, ["101", "102"], "102", [], 3, id="nothing new"),
        pytest.param("9", True, ["8", "9", "10", "11"], "11", ["10", "11"], 0, id="9 to 10"),
        pytest.param("999", True, ["998", "999", "1000"], "1000", ["1000"], 0, id="999 to 1000"),
        pytest.param("899", True, ["899", "900", "1000"], "1000", ["900"], 3, id="the wider one comes the next time"),
        pytest.param(
            "20261122000000",
            True,
            ["20261122000000", "1795359926123456789"],
            "1795359926123456789",
            ["1795359926123456789"],
            0,
            id="14 to 19 digits",
        ),
        pytest.param("7", True, ["7", "70"], "70", ["70"], 0, id="wider, and behind the offset"),
        pytest.param("9", False, ["8", "9", "10", "100"], "100", ["10", "100"], 0, id="compared as numbers"),
        pytest.param("998", False, ["998", "999"], "", ["999"], 3, id="one width again"),
        pytest.param("102", True, ["101", "102", "abc"], "rubbish", [], 3, id="no number in latest-build.txt"),
        pytest.param("102", True, ["101"], "102", [], 3, id="the newest was removed"),
    ],
)
def test_what_is_newer_as_a_number_is_found(
    newest: str, even: bool, ids: list[str], latest: str, expected: list[str], width: int, tmp_path: Path
) -> None:
    found = news(tmp_path, known(newest, even=even), *ids, latest=latest)

    assert (list(found.numbers), found.known.width) == (expected, width)


@pytest.mark.parametrize(
    ("latest", "whole_s", "is_whole"),
    [
        pytest.param("", NOW_S - 86_400, True, id="once a day without latest-build.txt"),
        pytest.param("", NOW_S - 86_399, False, id="not before"),
        pytest.param("5000", NOW_S - 3600, True, id="one that is ahead is looked for"),
        pytest.param("5000", NOW_S - 3599, False, id="but not all the time"),
    ],
)
def test_all_ids_are_listed_again_only_now_and_then(latest: str, whole_s: int, is_whole: bool, tmp_path: Path) -> None:
    found = news(tmp_path, known("999", whole_s=whole_s), "999", latest=latest)

    assert (found.numbers, found.is_whole) == ((), is_whole)


@pytest.mark.parametrize(
    ("latest", "expected", "is_whole"),
    [
        pytest.param("12", ["10", "11", "12"], False, id="walked"),
        pytest.param("9", [], False, id="nothing new"),
        pytest.param("510", ["10", "12"], True, id="too far to walk"),
        pytest.param("", ["10", "12"], True, id="no latest-build.txt"),
        pytest.param("8", ["10", "12"], True, id="one that went back"),
    ],
)
def test_a_job_that_counts_is_walked(latest: str, expected: list[str], is_whole: bool, tmp_path: Path) -> None:
    wanted = Wanted(NOW_S, history=1000, counts=True)
    found = news(tmp_path, known("9", even=False), "8", "9", "10", "12", latest=latest, wanted=wanted)

    assert (list(found.numbers), found.is_whole) == (expected, is_whole)


def test_ids_longer_than_any_are_no_numbers(tmp_path: Path) -> None:
    found = news(tmp_path, PlaceState(), "1" * 200, "5", latest="9" * 4000)

    assert (found.numbers, found.odd) == (("5",), ("1" * 200,))
    assert MOST_IDS < 10**6
