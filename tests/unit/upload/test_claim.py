"""A build id is the time, taken once, above all that went before."""

from __future__ import annotations

import calendar
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from upload.claim import claim, claim_puts, next_number
from upload.documents import Started, parse_started, render_latest
from upload.errors import LayoutError, ResultsError, StoreError, UsageError
from upload.layout import pull_prefix
from upload.model import BuildRef, Put
from upload.store import Store, open_store

JOB = "ci-kubernetes-e2e-local"
NOW_S = calendar.timegm((2026, 7, 22, 23, 59, 58))
STARTED = Started(NOW_S, "node", "v1.36.3")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "bucket"))


def taken(store: Store, number: str = "", now_s: int = NOW_S) -> BuildRef:
    return claim(store, BuildRef("logs", JOB, number), STARTED, now_s=now_s)


def set_latest(store: Store, number: str) -> None:
    store.put(Put(f"logs/{JOB}/latest-build.txt", render_latest(number), "text/plain"))


def test_id_is_the_time_in_utc(store: Store) -> None:
    assert taken(store) == BuildRef("logs", JOB, "20260722235958")


def test_taken_second_gives_the_next_one_across_midnight(store: Store) -> None:
    assert [taken(store).number for _ in range(4)] == [
        "20260722235958",
        "20260722235959",
        "20260723000000",
        "20260723000001",
    ]


def test_claims_at_once_get_ids_of_their_own(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = {build.number for build in pool.map(lambda _: taken(store), range(16))}

    assert len(numbers) == 16


def test_started_is_stored_with_a_token_of_this_claim(store: Store) -> None:
    build = claim(store, BuildRef("logs", JOB, ""), STARTED, now_s=NOW_S, token=lambda: "t0")

    stored = store.read(f"logs/{JOB}/{build.number}/started.json")
    assert stored is not None
    assert parse_started(stored.body) == Started(NOW_S, "node", "v1.36.3", revision="v1.36.3", claim="t0")


ALIAS = f"pr-logs/directory/{JOB}/20260722235958.txt"


def taken_by_pull(store: Store, pull: str) -> BuildRef:
    return claim(store, BuildRef(pull_prefix(pull), JOB, ""), STARTED, now_s=NOW_S)


@pytest.mark.rule("alias.link")
def test_alias_says_where_a_pull_requests_build_is(store: Store) -> None:
    build = BuildRef(pull_prefix("org_repo/7"), JOB, "20260722235958")
    link = f"{store.uri}/pr-logs/pull/org_repo/7/{JOB}/20260722235958"

    alias, started = claim_puts(store, build, STARTED)

    assert (alias.path, alias.body, alias.metadata) == (ALIAS, link.encode(), (("link", link),))
    assert started.path == f"pr-logs/pull/org_repo/7/{JOB}/20260722235958/started.json"


def test_ids_are_unique_across_pull_requests_and_batches(store: Store) -> None:
    pulls = ("org_repo/7", "org_repo/8", "org_repo/7", "batch")
    with ThreadPoolExecutor(len(pulls)) as pool:
        builds = list(pool.map(lambda pull: taken_by_pull(store, pull), pulls))

    assert len({build.number for build in builds}) == len(pulls)
    for build in builds:
        stored = store.read(f"pr-logs/directory/{JOB}/{build.number}.txt")
        assert stored is not None
        assert stored.body.decode() == f"{store.uri}/{build.prefix}/{JOB}/{build.number}"


def test_id_of_a_pull_request_is_above_the_jobs_latest_build(store: Store) -> None:
    store.put(Put(f"pr-logs/directory/{JOB}/latest-build.txt", render_latest("20260722235959"), "text/plain"))

    assert taken_by_pull(store, "org_repo/7").number == "20260723000000"


def test_no_free_id_within_a_minute_is_a_results_error(store: Store) -> None:
    for _ in range(60):
        taken(store)

    with pytest.raises(ResultsError, match="no free build id"):
        taken(store)


def test_id_is_above_latest_build_when_a_clock_goes_back(store: Store) -> None:
    set_latest(store, "20260723000010")

    assert taken(store).number == "20260723000011"


def test_clock_far_behind_latest_build_finds_no_id(store: Store) -> None:
    set_latest(store, "20270101000000")

    with pytest.raises(ResultsError, match="by this machine's clock"):
        taken(store)


def test_short_ids_of_a_job_that_moves_here_are_passed(store: Store) -> None:
    set_latest(store, "1234")

    assert taken(store).number == "20260722235958"


def test_ids_longer_than_ours_ask_for_another_job_name(store: Store) -> None:
    set_latest(store, "1815309098571239424")

    with pytest.raises(UsageError, match="have 19 digits"):
        taken(store)


@pytest.mark.parametrize("text", ["v5", "12abc", "latest"])
def test_latest_build_that_is_no_integer_is_a_layout_error(store: Store, text: str) -> None:
    set_latest(store, text)

    with pytest.raises(LayoutError):
        taken(store)


@pytest.mark.parametrize("number", ["0", "-1", "v1", "1.0", str(2**53), "../1", "007"])
def test_asked_id_that_is_no_integer_is_a_usage_error(store: Store, number: str) -> None:
    with pytest.raises(UsageError, match="plain integer"):
        taken(store, number)


@pytest.mark.parametrize(
    ("latest", "number", "fits"),
    [("", "7", True), ("8", "7", True), ("8", "10", False), ("20260722235958", "10", False)],
)
def test_asked_id_has_the_width_of_the_jobs_ids(store: Store, latest: str, number: str, fits: bool) -> None:
    if latest:
        set_latest(store, latest)

    if fits:
        assert taken(store, number).number == number
    else:
        with pytest.raises(UsageError, match="digits"):
            taken(store, number)


def test_asked_id_that_is_taken_is_a_usage_error(store: Store) -> None:
    taken(store, "20260722235958")

    with pytest.raises(UsageError, match="exists already"):
        taken(store, "20260722235958")


@pytest.mark.parametrize("job", ["", "a/b", "../x", "a b"])
def test_bad_job_name_is_found_before_anything_is_written(store: Store, tmp_path: Path, job: str) -> None:
    with pytest.raises(LayoutError):
        claim(store, BuildRef("logs", job, ""), STARTED, now_s=NOW_S)
    assert not (tmp_path / "bucket").exists()


def test_store_that_cannot_be_written_is_found_out_by_the_claim(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreError, match="cannot be written"):
        taken(open_store(str(tmp_path / "file")))


@pytest.mark.parametrize(
    ("newest", "expected"), [("", "20260722235958"), ("20260722235958", "20260722235959"), ("5", "20260722235958")]
)
def test_next_number_is_the_time_or_one_above_the_newest(newest: str, expected: str) -> None:
    assert next_number(newest, NOW_S) == expected
