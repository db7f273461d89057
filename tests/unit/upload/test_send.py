"""Sending: order, nothing twice, nothing overwritten, and going on where a killed one stopped."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from upload.documents import Finished, parse_latest
from upload.errors import ManyErrors, PreconditionFailed, ResultsError, StoreError
from upload.journal import FileJournal
from upload.model import BuildRef, Put
from upload.plan import Plan, plan_build
from upload.results_cache import parse_cache
from upload.send import Pace, send, update_object
from upload.store import Entry, ObjectStat, Store, Stored, open_store

JOB = "ci-kubernetes-e2e-local"
FINISHED = Finished(7, True, "SUCCESS", "v1.36.3")
FILES = {f"{number:02}.txt": f"text {number}".encode() for number in range(20)}
PACE = Pace(sleep=lambda _s: None, chance=lambda: 0.5)


@dataclass
class Watched:
    """A store that remembers what was put in which order, and may fail before or after doing it."""

    inner: Store
    puts: list[str] = field(default_factory=list)
    before: Callable[[Put], None] = lambda _put: None
    after: Callable[[Put], None] = lambda _put: None

    @property
    def uri(self) -> str:
        return self.inner.uri

    def uri_of(self, path: str) -> str:
        return self.inner.uri_of(path)

    def read(self, path: str, *, limit_bytes: int = 10**6) -> Stored | None:
        return self.inner.read(path, limit_bytes=limit_bytes)

    def read_into(self, path: str, target: BinaryIO, *, limit_bytes: int) -> int | None:
        return self.inner.read_into(path, target, limit_bytes=limit_bytes)

    def stat(self, path: str) -> ObjectStat | None:
        return self.inner.stat(path)

    def list(self, prefix: str = "", *, delimiter: str = "", start_offset: str = "") -> Iterator[Entry]:
        return self.inner.list(prefix, delimiter=delimiter, start_offset=start_offset)

    def holds(self, put: Put) -> bool:
        return self.inner.holds(put)

    def put(self, put: Put, *, replaces: int = 0) -> ObjectStat:
        self.before(put)
        stat = self.inner.put(put, replaces=replaces)
        self.puts.append(put.path)
        self.after(put)
        return stat


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    return Watched(open_store(str(tmp_path / "bucket")))


def plan(number: str = "20260722000000", finished: Finished = FINISHED, files: dict[str, bytes] | None = None) -> Plan:
    return plan_build(BuildRef("logs", JOB, number), FILES if files is None else files, b"log", finished)


def snapshot(store: Watched) -> dict[str, bytes]:
    return {e.path: (store.read(e.path) or Stored(b"", 0)).body for e in store.list()}


def numbers(store: Watched) -> list[str]:
    stored = store.read(f"logs/{JOB}/jobResultsCache.json")
    return [e["buildnumber"] for e in parse_cache(stored.body if stored else b"").entries if isinstance(e, dict)]


def test_objects_are_written_in_the_order_readers_rely_on(store: Watched) -> None:
    sent = send(plan(), store, pace=PACE)

    folder = f"logs/{JOB}/20260722000000/"
    assert sorted(store.puts[:20]) == [f"{folder}artifacts/{name}" for name in sorted(FILES)]
    assert store.puts[20:] == [
        f"{folder}build-log.txt",
        f"{folder}finished.json",
        f"logs/{JOB}/jobResultsCache.json",
        f"logs/{JOB}/latest-build.txt",
    ]
    assert (sent.objects, sent.kept, sent.was_finished) == (24, 0, False)


def test_second_send_writes_nothing(store: Watched) -> None:
    send(plan(), store, pace=PACE)
    before = snapshot(store)
    store.puts.clear()

    sent = send(plan(finished=replace(FINISHED, timestamp_s=99)), store, pace=PACE)

    assert (store.puts, sent.objects, sent.was_finished) == ([], 0, True)
    assert snapshot(store) == before


@pytest.mark.parametrize(
    "other",
    [
        plan(finished=replace(FINISHED, passed=False, result="FAILURE")),
        plan(files=FILES | {"00.txt": b"changed"}),
        plan(files=FILES | {"new.txt": b""}),
    ],
    ids=["verdict", "content", "one more file"],
)
def test_finished_build_with_other_content_is_an_error_and_stays(store: Watched, other: Plan) -> None:
    send(plan(), store, pace=PACE)
    before = snapshot(store)

    with pytest.raises(ResultsError, match="is finished") as caught:
        send(other, store, pace=PACE)
    assert caught.value.hint == "add --new-attempt to publish it as another attempt"
    assert snapshot(store) == before


def test_foreign_object_in_the_builds_folder_is_not_overwritten(store: Watched) -> None:
    path = f"logs/{JOB}/20260722000000/artifacts/05.txt"
    store.inner.put(Put(path, b"theirs", "text/plain"))

    with pytest.raises(ResultsError, match=f"{path}: an earlier try stored it with other content"):
        send(plan(), store, pace=PACE)
    assert snapshot(store)[path] == b"theirs"
    assert not [p for p in store.puts if not p.startswith(f"logs/{JOB}/20260722000000/artifacts/")]


def test_finished_is_not_written_when_artifacts_fail_and_all_errors_are_told(store: Watched) -> None:
    def fail(put: Put) -> None:
        if put.path.endswith(("03.txt", "04.txt")):
            raise StoreError(put.path, 500, "broken")

    store.before = fail
    with pytest.raises(ManyErrors, match="2 failed") as caught:
        send(plan(), store, pace=PACE)
    assert caught.value.outcome.value.exit_code == 4
    assert len(store.puts) == 18
    assert not any(path.endswith(("finished.json", "latest-build.txt")) for path in store.puts)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_store_that_refuses_everything_is_asked_no_further(store: Watched, status: int) -> None:
    tried = []

    def refuse(put: Put) -> None:
        tried.append(put.path)
        raise StoreError(put.path, status, "no")

    store.before = refuse
    with pytest.raises(StoreError) as caught:
        send(plan(), store, pace=replace(PACE, workers=1))
    assert (caught.value.status, len(tried)) == (status, 1)


def test_signal_ends_a_send_after_what_is_in_hand(store: Watched) -> None:
    main, once = threading.main_thread().ident or 0, iter([True])

    def interrupt(_put: Put) -> None:
        if next(once, False):
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.05)

    store.after = interrupt
    with pytest.raises(KeyboardInterrupt):
        send(plan(), store, pace=replace(PACE, workers=2))

    assert len(store.puts) < 10


@pytest.mark.parametrize("stop_after", range(24))
def test_send_that_dies_anywhere_is_completed_by_the_next_one(store: Watched, tmp_path: Path, stop_after: int) -> None:
    class Killed(BaseException):
        pass

    def die(_put: Put) -> None:
        if len(store.puts) == stop_after + 1:
            raise Killed

    store.after = die
    with pytest.raises(Killed), FileJournal(tmp_path / "journal", "x") as journal:
        send(plan(), store, journal=journal, pace=replace(PACE, workers=1))
    store.after = lambda _put: None

    with FileJournal(tmp_path / "journal", "x") as journal:
        send(plan(), store, journal=journal, pace=PACE)

    twice = {path for path in store.puts if store.puts.count(path) > 1}
    # the object that was stored but not noted is asked for once more, and is the same
    assert len(twice) <= 1
    assert [path for path in store.puts if path.endswith("finished.json")] == [
        f"logs/{JOB}/20260722000000/finished.json"
    ]
    assert (len(snapshot(store)), numbers(store)) == (24, ["20260722000000"])
    assert parse_latest(snapshot(store)[f"logs/{JOB}/latest-build.txt"]) == "20260722000000"


def test_eight_publishers_at_once_lose_no_entry(store: Watched) -> None:
    wanted = [str(20260722000000 + number) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: send(plan(n, files={}), store, pace=replace(PACE, sleep=lambda _s: None)), wanted))

    assert numbers(store) == wanted
    assert parse_latest(snapshot(store)[f"logs/{JOB}/latest-build.txt"]) == wanted[-1]


def test_older_build_that_ends_later_does_not_move_latest_back(store: Watched) -> None:
    send(plan("20260722000005", files={}), store, pace=PACE)
    send(plan("20260722000001", files={}), store, pace=PACE)

    assert parse_latest(snapshot(store)[f"logs/{JOB}/latest-build.txt"]) == "20260722000005"
    assert numbers(store) == ["20260722000001", "20260722000005"]


def test_update_that_always_loses_the_race_ends_with_an_error(store: Watched) -> None:
    waits: list[float] = []

    def lose(put: Put) -> None:
        raise PreconditionFailed(put.path)

    store.before = lose
    with pytest.raises(StoreError, match="60 times"):
        update_object(store, Put("a", b"", "text/plain"), lambda _b: b"x", pace=replace(PACE, sleep=waits.append))
    assert (len(waits), max(waits) <= 1.0) == (60, True)


def test_file_that_changed_since_it_was_stored_is_an_error_with_a_way_out(store: Watched, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def die(_put: Put) -> None:
        raise Killed

    store.after = die
    with pytest.raises(Killed), FileJournal(tmp_path / "journal", "x") as journal:
        send(plan(files={"a.txt": b"one"}), store, journal=journal, pace=replace(PACE, workers=1))
    store.after = lambda _put: None

    with pytest.raises(ResultsError, match="with other content") as caught, FileJournal(tmp_path / "journal", "x") as j:
        send(plan(files={"a.txt": b"two"}), store, journal=j, pace=PACE)
    assert caught.value.hint == "add --new-attempt to publish it as another attempt"
    assert [path for path in snapshot(store) if path.endswith("finished.json")] == []


def test_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    with FileJournal(tmp_path / "j", "one") as journal:
        journal.add("a")

    with pytest.raises(ResultsError, match="belongs to one") as caught, FileJournal(tmp_path / "j", "two"):
        pass
    assert caught.value.hint == f"rm {tmp_path}/j"


def test_journal_that_cannot_be_used_is_an_error_of_the_results(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()

    for path in (tmp_path / "file" / "j", tmp_path / "folder"):
        with pytest.raises(ResultsError, match=f"{path}: cannot be used"), FileJournal(path, "one"):
            pass


@pytest.mark.parametrize("torn", [b'"logs/half', b'"x"\n{"a"', b"\xff\xfe", b"[1]\n"], ids=repr)
def test_journal_bears_a_torn_line(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "j"
    with FileJournal(path, "one") as journal:
        journal.add("a\nb")
    path.write_bytes(path.read_bytes() + torn)

    with FileJournal(path, "one") as journal:
        journal.add("c")
        assert (journal.has("a\nb"), journal.has("logs/half")) == (True, False)
    with FileJournal(path, "one") as journal:
        assert (journal.has("a\nb"), journal.has("c")) == (True, True)
    assert path.stat().st_mode & 0o777 == 0o600
