"""The log of a build that goes on, in a bucket behind the fault proxy."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.lifecycle.follow import Follower, followed, until_told
from tests.support.fault_proxy import Act, FaultProxy, Request
from tests.support.gcs import IMPATIENT, Bucket, publish_argv
from upload.censor import Censor
from upload.errors import PreconditionFailed, StoreError
from upload.layout import LOG_PIECE, NO_CACHE, build_paths
from upload.live_log import LIVE, OVER, LiveLog, fold_log
from upload.model import BuildRef, Put
from upload.store import Store
from upload.store.base import GrowingStore

BUILD = BuildRef("logs", "ci-kubernetes-e2e-mine", "20260722060000")
PATHS = build_paths(BUILD)
PIECE = PATHS.folder + LOG_PIECE
SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture
def store(bucket: Bucket, faults: FaultProxy) -> GrowingStore:
    """A store behind the proxy, which gives up soon."""
    store = replace(bucket, endpoint=faults.url).store(patience=replace(IMPATIENT, operation_s=0.5))
    assert isinstance(store, GrowingStore)
    return store


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "build-log.txt"


def grow(source: Path, text: str) -> None:
    with source.open("a") as file:
        file.write(text)


def live(store: GrowingStore, source: Path, *secrets: str) -> LiveLog:
    return LiveLog(store, BUILD, source, lambda: Censor(secrets))


def stored(bucket: Bucket) -> str:
    found = bucket.store().read(PATHS.log)
    return found.body.decode() if found else ""


def final(text: str) -> Put:
    return Put(PATHS.log, text.encode(), "text/plain")


def names(store: Store) -> list[str]:
    return [entry.path.removeprefix(PATHS.folder) for entry in store.list()]


def test_log_grows_in_the_bucket_only_when_bytes_have_arrived(
    store: GrowingStore, source: Path, bucket: Bucket, faults: FaultProxy
) -> None:
    log = live(store, source)
    sizes = []
    for text in ("", "one\n", "", "two\n", "three\n"):
        grow(source, text)
        before = len(faults.log)
        sizes.append((log.send_more(), len(faults.log) > before))

    assert sizes == [(0, False), (4, True), (0, False), (4, True), (6, True)]
    assert (stored(bucket), names(bucket.store())) == ("one\ntwo\nthree\n", ["build-log.txt"])
    stat = bucket.store().stat(PATHS.log)
    assert stat is not None
    assert (stat.content_type, stat.metadata) == ("text/plain", (LIVE,))
    composed = [e.request for e in faults.requests(lambda r: r.is_compose)]
    assert all("ifGenerationMatch" in request.query for request in composed)
    assert NO_CACHE.encode() in composed[0].body


@pytest.mark.parametrize("cut", range(1, len(SECRET) + 8))
def test_secret_across_the_border_of_two_pieces_is_never_stored(
    cut: int, store: GrowingStore, source: Path, bucket: Bucket
) -> None:
    text = f"a {SECRET} b\n"
    log = live(store, source, SECRET, SECRET + "-longer", "xyz-hunter2")
    grow(source, text[:cut])
    log.send_more()
    seen = stored(bucket)
    grow(source, text[cut:])
    log.send_more()

    assert set(seen) <= set("a *b\n")
    assert stored(bucket) == f"a {'*' * len(SECRET)} b\n"


FAULTS: dict[str, tuple[Act, Callable[[Request], bool]]] = {
    "piece never arrives": (Act.CUT_BEFORE, lambda r: r.is_upload and LOG_PIECE in r.object),
    "answer to the piece is lost": (Act.CUT_AFTER, lambda r: r.is_upload and LOG_PIECE in r.object),
    "compose never arrives": (Act.CUT_BEFORE, lambda r: r.is_compose),
    "answer to compose is lost": (Act.CUT_AFTER, lambda r: r.is_compose),
    "answer to compose is cut": (Act.TRUNCATE, lambda r: r.is_compose),
    "piece is not deleted": (Act.CUT_BEFORE, lambda r: r.method == "DELETE"),
    "answer to delete is lost": (Act.CUT_AFTER, lambda r: r.method == "DELETE"),
}


@pytest.mark.parametrize("times", [1, 999], ids=["once", "until given up"])
@pytest.mark.parametrize("fault", FAULTS)
def test_log_is_whole_whatever_fails(
    fault: str, times: int, store: GrowingStore, source: Path, bucket: Bucket, faults: FaultProxy
) -> None:
    log = live(store, source)
    grow(source, "one\n")
    log.send_more()
    act, match = FAULTS[fault]
    faults.add(act, match, times=times)
    grow(source, "two\n")
    with suppress(StoreError):  # where a look at the object cannot tell that it was done
        log.send_more()
    faults.faults.clear()
    grow(source, "three\n")

    log.send_more()

    assert (stored(bucket), names(bucket.store())) == ("one\ntwo\nthree\n", ["build-log.txt"])


@pytest.mark.parametrize(
    ("text", "composed"),
    [("one\ntwo\n", 0), ("one\ntwo\nlast\n", 1), ("one\n***\nlast\n", 0), ("one", 0), ("", 0)],
    ids=["the same", "longer", "a secret became known", "shorter", "empty"],
)
def test_final_log_takes_the_place_of_the_live_one(
    text: str, composed: int, store: GrowingStore, source: Path, bucket: Bucket, faults: FaultProxy
) -> None:
    grow(source, "one\ntwo\n")
    live(store, source).send_more()
    bucket.store().put(Put(PIECE, b"left by one that was killed", "text/plain"))

    fold_log(store, BUILD, final(text))

    assert (stored(bucket), names(bucket.store())) == (text, ["build-log.txt"])
    there = bucket.store().stat(PATHS.log)
    assert there is not None
    assert there.metadata == (OVER,)
    assert len(faults.requests(lambda r: r.is_compose)) == composed


def test_log_of_somebody_else_is_neither_followed_nor_replaced(
    store: GrowingStore, source: Path, bucket: Bucket
) -> None:
    bucket.store().put(final("theirs"))
    grow(source, "ours")
    log = live(store, source)

    assert (log.send_more(), log.is_over) == (0, True)
    with pytest.raises(PreconditionFailed):
        fold_log(store, BUILD, final("ours"))
    assert stored(bucket) == "theirs"


def test_final_log_is_not_taken_over_by_a_follower_that_is_begun_again(
    store: GrowingStore, source: Path, bucket: Bucket
) -> None:
    grow(source, "one\n")
    live(store, source).send_more()
    fold_log(store, BUILD, final("one\ntwo\n"))

    again = live(store, source)
    assert (again.send_more(), again.is_over, stored(bucket)) == (0, True, "one\ntwo\n")


def test_piece_that_a_killed_fold_left_is_removed_by_the_next(
    store: GrowingStore, source: Path, bucket: Bucket
) -> None:
    grow(source, "one\n")
    live(store, source).send_more()
    fold_log(store, BUILD, final("one\ntwo\n"))
    bucket.store().put(Put(PIECE, b"two\n", "text/plain"))

    fold_log(store, BUILD, final("one\ntwo\n"))

    assert names(bucket.store()) == ["build-log.txt"]


def test_live_log_that_a_killed_process_left_is_begun_anew(store: GrowingStore, source: Path, bucket: Bucket) -> None:
    grow(source, "one\n")
    live(store, source).send_more()
    grow(source, "two\n")

    again = live(store, source)
    assert (again.send_more(), stored(bucket)) == (8, "one\ntwo\n")
    grow(source, "three\n")
    assert (again.send_more(), stored(bucket)) == (6, "one\ntwo\nthree\n")


@pytest.mark.parametrize("act", [Act.CUT_BEFORE, Act.CUT_AFTER], ids=["never arrives", "its answer is lost"])
def test_live_log_is_begun_anew_though_the_first_try_fails(
    act: Act, store: GrowingStore, source: Path, bucket: Bucket, faults: FaultProxy
) -> None:
    grow(source, "one\n")
    live(store, source).send_more()
    grow(source, "two\n")
    again = live(store, source)
    # the first one finds that there is a log, the second takes its place
    faults.add(act, lambda r: r.is_upload and r.query["ifGenerationMatch"] != ["0"], times=999)
    with suppress(StoreError):
        again.send_more()
    faults.faults.clear()

    again.send_more()
    grow(source, "three\n")
    again.send_more()

    assert (stored(bucket), names(bucket.store())) == ("one\ntwo\nthree\n", ["build-log.txt"])


def test_bytes_of_somebody_else_never_become_a_part_of_the_final_log(
    store: GrowingStore, source: Path, bucket: Bucket, faults: FaultProxy
) -> None:
    """The answer to our compose is lost, and the object that is found then has our size but not our bytes."""
    grow(source, "one\n")
    live(store, source).send_more()
    theirs = Put(PATHS.log, b"one\nTWO\n", "text/plain", metadata=(LIVE,))

    def overtaken(request: Request) -> bool:
        if request.is_compose:
            there = bucket.store().stat(PATHS.log)
            bucket.store().put(theirs, replaces=there.generation if there else 0)
        return request.is_compose

    faults.add(Act.CUT_BEFORE, overtaken)

    fold_log(store, BUILD, final("one\ntwo\n"))

    assert stored(bucket) == "one\ntwo\n"


def test_follower_that_goes_on_after_the_final_log_adds_nothing(
    store: GrowingStore, source: Path, bucket: Bucket
) -> None:
    grow(source, "one\n")
    log = live(store, source)
    log.send_more()
    fold_log(store, BUILD, final("one\ntwo\n"))
    grow(source, "two\nlate\n")

    assert (log.send_more(), log.is_over) == (0, True)
    assert (stored(bucket), names(bucket.store())) == ("one\ntwo\n", ["build-log.txt"])


def wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_follower_bears_a_store_that_fails_and_ends_when_it_is_told(
    source: Path, bucket: Bucket, faults: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", faults.url)
    faults.add(Act.ANSWER, times=2, status=403)
    with followed(Follower(bucket.uri, BUILD, source, Censor, every_s=0.05)):
        grow(source, "one\n")
        wait_for(lambda: stored(bucket) == "one\n")
        grow(source, "two\n")
        wait_for(lambda: stored(bucket) == "one\ntwo\n")
    before = len(faults.log)
    grow(source, "late\n")
    time.sleep(0.2)

    assert (len(faults.log), stored(bucket)) == (before, "one\ntwo\n")


def test_folder_is_not_followed_since_its_log_is_here(source: Path, tmp_path: Path) -> None:
    with followed(Follower(str(tmp_path / "store"), BUILD, source, Censor, every_s=0.01)):
        grow(source, "one\n")
        time.sleep(0.1)

    assert not (tmp_path / "store").exists()


def test_finished_build_is_not_followed(bucket: Bucket, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    grow(folder / "build-log.txt", "one\n")
    argv = [*publish_argv(folder, BUILD.job, bucket), "--build", BUILD.number]
    env = os.environ | {"STORAGE_EMULATOR_HOST": bucket.endpoint, "E2E_STATE_DIR": str(tmp_path / "state")}
    subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL, timeout=60)

    again = subprocess.run([*argv, "--follow"], env=env, capture_output=True, text=True, timeout=60)  # noqa: PLW1510

    assert (again.returncode, stored(bucket)) == (0, "one\n")
    assert "the build was finished already, with the same content" in again.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_first_signal_ends_the_waiting_and_the_second_is_that_of_any_program(number: signal.Signals) -> None:
    heard: list[int] = []
    before = signal.signal(number, lambda *_: heard.append(number))
    try:
        with until_told() as wait:
            os.kill(os.getpid(), number)  # before anybody waits
            wait()
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)

    assert heard == [number, number]


@pytest.mark.slow
@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGKILL], ids=lambda ends: ends.name)
def test_publish_follows_a_folder_until_it_is_told(
    ends: signal.Signals, source: Path, bucket: Bucket, faults: FaultProxy, tmp_path: Path
) -> None:
    folder = source.parent / "artifacts"
    folder.mkdir()
    argv = publish_argv(folder, BUILD.job, bucket)
    env = os.environ | {"STORAGE_EMULATOR_HOST": faults.url, "E2E_STATE_DIR": str(tmp_path / "state")}
    log = folder / "build-log.txt"
    grow(log, "one\n")
    with subprocess.Popen([*argv, "--follow"], env=env, stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: any(e.request.object.endswith("build-log.txt") for e in faults.log if e.status == 200))
        assert not any(path.endswith("finished.json") for path in faults.writes())
        grow(log, "two\n")
        process.send_signal(ends)
    if ends is signal.SIGKILL:
        subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL, timeout=60)
    else:
        assert process.returncode == 0

    build = BuildRef("logs", BUILD.job, body(bucket, f"logs/{BUILD.job}/latest-build.txt").strip())
    folder_in_bucket = build_paths(build).folder
    assert body(bucket, f"{folder_in_bucket}build-log.txt") == "one\ntwo\n"
    assert [e.path for e in bucket.store().list(folder_in_bucket)] == [
        f"{folder_in_bucket}{name}" for name in ("build-log.txt", "finished.json", "started.json")
    ]


def body(bucket: Bucket, path: str) -> str:
    found = bucket.store().read(path)
    return found.body.decode() if found else ""
