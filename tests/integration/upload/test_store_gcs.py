"""The store in a bucket: the contract of every store on a real server, then through a network that fails."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from google.api_core import exceptions as api
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.support.fault_proxy import Act, FaultProxy, Request
from tests.support.gcs import IMPATIENT, Bucket
from upload.errors import PreconditionFailed, ResultsError, StoreError
from upload.layout import NO_CACHE
from upload.model import Put
from upload.store import Store, open_store
from upload.store.base import ObjectStat, ProbedStore, Stored
from upload.store.testing import CONTRACT, Check

CHUNK_BYTES = 8 * 1024 * 1024


def is_upload(request: Request) -> bool:
    return request.is_upload


def is_piece(request: Request) -> bool:
    return request.is_upload and request.method == "PUT"


def is_start_of_session(request: Request) -> bool:
    return request.is_upload and request.query.get("uploadType") == ["resumable"] and request.method == "POST"


def put(path: str = "a", body: bytes | Path = b"body", content_type: str = "text/plain") -> Put:
    return Put(path, body, content_type)


@pytest.fixture
def store(bucket: Bucket, faults: FaultProxy) -> Store:
    """A store behind the proxy."""
    return replace(bucket, endpoint=faults.url).store()


@pytest.mark.parametrize("check", CONTRACT, ids=lambda c: c.__name__)
@pytest.mark.parametrize("folder", ["", "some/folder"], ids=["bucket", "folder"])
def test_bucket_keeps_the_contract(check: Check, bucket: Bucket, folder: str) -> None:
    check(bucket.store(folder))


@pytest.mark.parametrize("check", CONTRACT, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    "act", [Act.RESET_BEFORE, Act.CUT_BEFORE, Act.CUT_AFTER, Act.TRUNCATE, Act.BREAK], ids=lambda a: a.name
)
def test_bucket_keeps_the_contract_when_every_fifth_request_fails(
    check: Check, act: Act, store: Store, faults: FaultProxy
) -> None:
    seen = iter(range(10**6))
    faults.add(act, lambda _request: next(seen) % 5 == 2, times=10**6)

    check(store)


def test_object_is_stored_with_its_headers(bucket: Bucket) -> None:
    store = bucket.store()
    what = Put("latest-build.txt", b"1\n", "text/plain", cache_control=NO_CACHE, metadata=(("link", "gs://b/c"),))

    stat = store.put(what)

    expected = ObjectStat(
        "latest-build.txt", 2, stat.generation, "text/plain", "", NO_CACHE, stat.crc32c, what.metadata
    )
    assert (stat, store.stat("latest-build.txt")) == (expected, expected)
    assert store.holds(what)
    assert not store.holds(replace(what, metadata=(("link", "gs://b/d"),)))


def test_compressed_object_is_smaller_in_the_bucket_and_marked(bucket: Bucket) -> None:
    store = bucket.store()

    stat = store.put(Put("a.txt", b"text " * 10_000, "text/plain", content_encoding="gzip"))

    assert (stat.content_encoding, stat.size_bytes < 1000) == ("gzip", True)


# what happens to the first upload -> whether the store must ask again
LOST: dict[str, tuple[Act, dict[str, Any]]] = {
    "answer lost after the object was stored": (Act.CUT_AFTER, {}),
    "answer cut short": (Act.TRUNCATE, {}),
    "answer shorter than announced": (Act.BREAK, {}),
    "connection closed before": (Act.CUT_BEFORE, {}),
    "connection reset before": (Act.RESET_BEFORE, {}),
    "connection half closed": (Act.HALF_CLOSE, {}),
    "idle connection closed": (Act.CLOSE_IDLE, {}),
    "408": (Act.ANSWER, {"status": 408}),
    "429": (Act.ANSWER, {"status": 429}),
    "500": (Act.ANSWER, {"status": 500}),
    "502 with HTML": (Act.ANSWER, {"status": 502, "body": b"<html>bad gateway</html>"}),
    "503 twice": (Act.ANSWER, {"status": 503, "times": 2}),
    "504": (Act.ANSWER, {"status": 504}),
    "200 that is no JSON": (Act.ANSWER, {"status": 200, "body": b'{"kind": "stor'}),
    "200 that says nothing": (Act.ANSWER, {"status": 200, "body": b"{}"}),
}


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("size_bytes", [100, CHUNK_BYTES + 100_000], ids=["one request", "session"])
def test_create_survives_a_fault_and_stores_one_generation(
    fault: str, size_bytes: int, store: Store, bucket: Bucket, faults: FaultProxy
) -> None:
    act, rest = LOST[fault]
    faults.add(act, is_upload if size_bytes == 100 else is_piece, **rest)
    body = os.urandom(size_bytes)

    stat = store.put(put("a", body))

    stored = bucket.store().read("a")
    assert stored == Stored(body, stat.generation)
    done = [e for e in faults.requests(is_upload) if e.status == 200 and not is_start_of_session(e.request)]
    assert len([e for e in done if not e.request.is_status_query]) == 1


def test_create_of_somebody_else_between_is_a_conflict_though_our_answer_was_lost(
    store: Store, bucket: Bucket, faults: FaultProxy
) -> None:
    bucket.store().put(put("a", b"theirs"))
    faults.add(Act.CUT_BEFORE, is_upload)

    with pytest.raises(PreconditionFailed):
        store.put(put("a", b"ours"))
    assert (bucket.store().read("a") or Stored(b"", 0)).body == b"theirs"


def test_replace_whose_answer_is_lost_is_done_once(store: Store, bucket: Bucket, faults: FaultProxy) -> None:
    first = store.put(put("a", b"one")).generation
    faults.add(Act.CUT_AFTER, is_upload)

    second = store.put(put("a", b"two"), replaces=first).generation

    assert bucket.store().read("a") == Stored(b"two", second)


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "gcloud auth"), (403, "add-iam-policy-binding"), (404, "buckets create"), (400, "")],
    ids=str,
)
@pytest.mark.parametrize("size_bytes", [100, CHUNK_BYTES + 1], ids=["one request", "session"])
def test_refusal_is_told_at_once_and_not_asked_again(
    status: int, hint: str, size_bytes: int, store: Store, faults: FaultProxy
) -> None:
    faults.add(Act.ANSWER, is_upload, times=99, status=status, body=b'{"error": {"message": "no \x1b[31m way"}}')

    with pytest.raises(StoreError) as caught:
        store.put(put("a", b"x" * size_bytes))
    assert (caught.value.status, len(faults.requests(is_upload))) == (status, 1)
    assert hint in caught.value.hint
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("status", [403, 503], ids=str)
@pytest.mark.parametrize("what", ["read", "stat", "list"])
def test_reading_tries_again_when_it_may_help(
    what: str, status: int, store: Store, bucket: Bucket, faults: FaultProxy
) -> None:
    bucket.store().put(put("a"))
    faults.add(Act.ANSWER, status=status)
    actions = {"read": lambda: store.read("a"), "stat": lambda: store.stat("a"), "list": lambda: list(store.list())}

    if status == 503:
        assert actions[what]()
    else:
        with pytest.raises(StoreError) as caught:
            actions[what]()
        assert caught.value.status == 403


@pytest.mark.parametrize("act", [Act.TRUNCATE, Act.BREAK, Act.CUT_AFTER], ids=lambda a: a.name)
def test_listing_whose_answer_was_cut_is_whole(act: Act, store: Store, bucket: Bucket, faults: FaultProxy) -> None:
    for name in "abc":
        bucket.store().put(put(name))
    faults.add(act, lambda r: r.method == "GET" and r.path.endswith("/o"))

    assert [e.path for e in store.list()] == ["a", "b", "c"]


def test_broken_download_is_read_again(store: Store, bucket: Bucket, faults: FaultProxy) -> None:
    bucket.store().put(put("a", b"0123456789" * 1000))
    faults.add(Act.BREAK, lambda r: r.query.get("alt") == ["media"])

    assert (store.read("a") or Stored(b"", 0)).body == b"0123456789" * 1000


def test_trying_again_ends_after_the_operations_time(bucket: Bucket, faults: FaultProxy) -> None:
    faults.add(Act.ANSWER, times=10**6)
    store = replace(bucket, endpoint=faults.url).store(patience=replace(IMPATIENT, operation_s=0.5))

    with pytest.raises(StoreError) as caught:
        store.put(put("a"))
    assert caught.value.status == 503
    assert len(faults.requests(is_upload)) > 3


def test_trying_again_ends_at_the_callers_deadline(bucket: Bucket, faults: FaultProxy) -> None:
    faults.add(Act.ANSWER, times=10**6)
    left = iter([1.0] * 12 + [0.0] * 1000)
    store = replace(bucket, endpoint=faults.url).store(patience=replace(IMPATIENT, remaining_s=lambda: next(left)))

    with pytest.raises(StoreError, match="503") as caught:
        store.put(put("a"))
    assert caught.value.uri == f"{bucket.uri}/a"


def test_missing_bucket_names_the_command_that_makes_one(gcs_server: str) -> None:
    store = Bucket("no-such-bucket", gcs_server).store()

    with pytest.raises(StoreError, match="is there a bucket no-such-bucket") as caught:
        store.put(put("a"))
    assert caught.value.hint == "gcloud storage buckets create gs://no-such-bucket --uniform-bucket-level-access"
    with pytest.raises(StoreError):
        list(store.list())


def test_server_that_is_not_there_is_a_store_error() -> None:
    store = open_store("gs://bucket", endpoint="http://127.0.0.1:9", patience=replace(IMPATIENT, operation_s=0.1))

    with pytest.raises(StoreError, match="ConnectionError"):
        store.put(put("a"))


def test_emulator_of_the_environment_is_used_without_credentials(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.endpoint)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)

    store = open_store(bucket.uri, patience=IMPATIENT)

    assert store.put(put("a", b"x")).size_bytes == 1


def test_missing_credentials_name_the_command_unless_reading_without_is_allowed(
    bucket: Bucket, faults: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)

    with pytest.raises(StoreError) as caught:
        open_store(bucket.uri).stat("a")
    assert (caught.value.status, caught.value.hint) == (401, "gcloud auth application-default login")

    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", faults.url)
    assert open_store(bucket.uri, anonymous_too=True, patience=IMPATIENT).stat("a") is None


def test_every_write_carries_a_precondition(store: Store, faults: FaultProxy) -> None:
    first = store.put(put("a"))
    store.put(put("a", b"new"), replaces=first.generation)
    store.put(put("big", b"x" * (CHUNK_BYTES + 1)))

    starts = [e.request for e in faults.requests(is_upload) if e.request.method == "POST"]
    assert [r.query.get("ifGenerationMatch") for r in starts] == [["0"], [str(first.generation)], ["0"]]
    assert len(faults.requests(is_start_of_session)) == 1


def test_local_file_goes_in_pieces_and_arrives_whole(
    store: Store, bucket: Bucket, faults: FaultProxy, tmp_path: Path
) -> None:
    source = tmp_path / "big"
    source.write_bytes(os.urandom(8 * CHUNK_BYTES + 12_345))

    store.put(put("big", source, "application/octet-stream"))

    sizes = [len(e.request.body) for e in faults.requests(is_piece)]
    assert sizes == [CHUNK_BYTES, 2 * CHUNK_BYTES, 4 * CHUNK_BYTES, CHUNK_BYTES + 12_345]
    assert bucket.store().holds(put("big", source, "application/octet-stream"))
    assert re.fullmatch(r"[A-Za-z0-9+/]{6}==", (store.stat("big") or ObjectStat("", 0, 0)).crc32c)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A fault on one piece of a session, and the ranges that are sent then (``*``: a question what has arrived)."""

    act: Act
    piece: int
    ranges: tuple[str, ...]
    rest: dict[str, Any] = field(default_factory=dict)


SIZE = 3 * CHUNK_BYTES + 12_345


def pieces(*borders: float) -> tuple[str, ...]:
    """Return the ranges between borders (in chunks) and the end of the object."""
    offsets = [*(int(border * CHUNK_BYTES) for border in borders), SIZE]
    return tuple(f"{first}-{end - 1}/{SIZE}" for first, end in pairwise(offsets))


PIECES = pieces(0, 1, 3)
ASK = f"*/{SIZE}"
INTERRUPTED = {
    "first piece never arrives": Interrupted(Act.RESET_BEFORE, 0, (PIECES[0], ASK, *pieces(0, 0.5, 1.5))),
    "half of the first piece arrives": Interrupted(Act.CUT_MIDDLE, 0, (PIECES[0], ASK, *pieces(0.5, 1, 2))),
    "answer to the second piece is lost": Interrupted(Act.CUT_AFTER, 1, (*PIECES[:2], ASK, PIECES[2])),
    "answer to the last piece is lost": Interrupted(Act.CUT_AFTER, 2, (*PIECES, ASK)),
    "second piece gets 503": Interrupted(Act.ANSWER, 1, (*PIECES[:2], ASK, *pieces(1, 2)), {"status": 503}),
    "session is gone": Interrupted(Act.ANSWER, 1, (*PIECES[:2], *PIECES), {"status": 404}),
    "session is gone for good": Interrupted(Act.ANSWER, 1, (*PIECES[:2], *PIECES), {"status": 410}),
}


@pytest.mark.parametrize("case", INTERRUPTED.values(), ids=INTERRUPTED)
def test_session_goes_on_behind_what_has_arrived(
    case: Interrupted, store: Store, bucket: Bucket, faults: FaultProxy
) -> None:
    faults.add(
        case.act, lambda r: is_piece(r) and r.header("content-range") == f"bytes {PIECES[case.piece]}", **case.rest
    )
    body = os.urandom(SIZE)

    stat = store.put(put("big", body))

    sent = [e.request.header("content-range").removeprefix("bytes ") for e in faults.requests(is_piece)]
    assert (tuple(sent), bucket.store().read("big")) == (case.ranges, Stored(body, stat.generation))


def test_object_of_somebody_else_during_a_session_is_a_conflict_at_its_end(
    store: Store, bucket: Bucket, faults: FaultProxy
) -> None:
    def store_theirs(request: Request) -> bool:
        if is_piece(request) and not bucket.store().stat("big"):
            bucket.store().put(put("big", b"theirs"))
        return False

    faults.add(Act.PASS, store_theirs)

    with pytest.raises(PreconditionFailed):
        store.put(put("big", b"x" * SIZE))
    assert (bucket.store().read("big") or Stored(b"", 0)).body == b"theirs"
    assert not [e for e in faults.log if e.request.is_status_query]  # after a 412 only the object tells


def test_store_that_forgets_every_session_is_given_up(store: Store, faults: FaultProxy) -> None:
    faults.add(
        Act.ANSWER,
        lambda r: is_piece(r) and not r.header("content-range").startswith("bytes 0-"),
        times=999,
        status=404,
    )

    with pytest.raises(ResultsError, match="lost 8 upload sessions"):
        store.put(put("big", b"x" * SIZE))


def test_store_that_keeps_nothing_of_a_piece_is_given_up(bucket: Bucket, faults: FaultProxy) -> None:
    store = replace(bucket, endpoint=faults.url).store(patience=replace(IMPATIENT, operation_s=0.5))
    faults.add(Act.ANSWER, is_piece, times=999, status=308)

    with pytest.raises(StoreError, match="the store kept nothing of a piece"):
        store.put(put("big", b"x" * SIZE))
    assert len(faults.requests(is_piece)) < 500


def test_large_file_may_take_longer_than_one_operation(bucket: Bucket, faults: FaultProxy) -> None:
    faults.add(Act.STALL, is_piece, times=3, seconds=0.4)
    store = replace(bucket, endpoint=faults.url).store(patience=replace(IMPATIENT, operation_s=0.9))
    for number in (0, 1):
        faults.add(Act.ANSWER, lambda r, n=number: is_piece(r) and f"bytes {PIECES[n]}" == r.header("content-range"))

    assert store.put(put("big", b"x" * SIZE)).size_bytes == SIZE


@pytest.mark.parametrize("status", [429, 503], ids=str)
@pytest.mark.parametrize("size_bytes", [100, SIZE], ids=["one request", "session"])
def test_retry_after_is_waited_for(status: int, size_bytes: int, bucket: Bucket, faults: FaultProxy) -> None:
    faults.add(Act.ANSWER, is_upload, status=status, headers=(("Retry-After", "7"),))
    waits: list[float] = []
    patience = replace(IMPATIENT, sleep=waits.append)

    replace(bucket, endpoint=faults.url).store(patience=patience).put(put("a", b"x" * size_bytes))

    assert waits == [7.0]


def test_conditional_delete_and_read_are_kept_by_the_proxy(bucket: Bucket, faults: FaultProxy) -> None:
    stat = replace(bucket, endpoint=faults.url).store().put(put("a"))
    blob = (
        storage.Client(
            project="p",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": faults.url},
        )
        .bucket(bucket.name)
        .blob("a")
    )

    for wrong in (lambda: blob.reload(if_generation_match=1), lambda: blob.delete(if_generation_match=1)):
        with pytest.raises(api.PreconditionFailed):
            wrong()
    blob.delete(if_generation_match=stat.generation)
    assert bucket.store().stat("a") is None


def test_a_probe_says_whether_an_object_could_be_written_and_writes_none(bucket: Bucket) -> None:
    store = bucket.store()
    assert isinstance(store, ProbedStore)

    store.probe("logs/job/probe")
    with pytest.raises(StoreError, match=r"gs://no-such-bucket"):
        cast("ProbedStore", replace(bucket, name="no-such-bucket").store()).probe("logs/job/probe")

    assert list(store.list()) == []
