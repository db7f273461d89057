"""The store in a folder: the contract of every store, and what only a folder can do wrong."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from upload.errors import PreconditionFailed, StoreError, UsageError
from upload.model import Put
from upload.store import Store, open_store
from upload.store.base import Stored
from upload.store.testing import CONTRACT, Check


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "bucket"))


def put(path: str, body: bytes | Path = b"body") -> Put:
    return Put(path, body, "text/plain")


@pytest.mark.parametrize("check", CONTRACT, ids=lambda c: c.__name__)
def test_folder_keeps_the_contract(check: Check, store: Store) -> None:
    check(store)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("file:///a/b", "file:///a/b"),
        ("file:///a%20b/", "file:///a%20b"),
        ("file://localhost/a", "file:///a"),
        ("/a/b/", "file:///a/b"),
        ("gs://bucket", "gs://bucket"),
        ("gs://bucket/", "gs://bucket"),
        ("gs://bucket/logs/x/", "gs://bucket/logs/x"),
    ],
)
def test_uri_of_a_store_is_normal(uri: str, expected: str) -> None:
    assert open_store(uri).uri == expected


def test_plain_path_is_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert open_store("_results/bucket").uri == f"file://{tmp_path}/_results/bucket"


@pytest.mark.parametrize(
    "uri",
    ["", "s3://bucket", "gs://", "gs://UPPER", "gs:///x", "file://host/x", "file://", "a\0b", "gs://a"],
)
def test_uri_that_names_no_store_is_a_usage_error(uri: str) -> None:
    with pytest.raises(UsageError):
        open_store(uri)


def test_files_are_world_readable_whatever_the_umask(tmp_path: Path) -> None:
    code = (
        "import os, sys\nos.umask(0o077)\nfrom upload.store import open_store\nfrom upload.model import Put\n"
        "open_store(sys.argv[1]).put(Put('logs/j/a', b'x', 'text/plain'))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "b")], check=True, timeout=60)

    modes = {p.name: stat.filemode(p.stat().st_mode) for p in (tmp_path / "b").rglob("*")}
    assert modes == {"logs": "drwxr-xr-x", "j": "drwxr-xr-x", "a": "-rw-r--r--"}


def test_put_leaves_no_temporary_file_when_refused(store: Store, tmp_path: Path) -> None:
    store.put(put("a", b"one"))

    with pytest.raises(PreconditionFailed):
        store.put(put("a", b"two"))
    assert [p.name for p in (tmp_path / "bucket").iterdir()] == ["a"]


def test_temporary_files_and_the_lock_are_not_listed(store: Store, tmp_path: Path) -> None:
    generation = store.put(put("a")).generation
    store.put(put("a", b"new"), replaces=generation)
    (tmp_path / "bucket" / ".store.0123").write_bytes(b"left by a killed writer")

    assert (tmp_path / "bucket" / ".store.lock").exists()
    assert [e.path for e in store.list()] == ["a"]


def test_generation_moves_on_when_the_clock_stands(store: Store, tmp_path: Path) -> None:
    first = store.put(put("a", b"one")).generation
    future = first + 10**12
    os.utime(tmp_path / "bucket" / "a", ns=(future, future))

    second = store.put(put("a", b"two"), replaces=future).generation

    assert second > future
    assert store.read("a") == Stored(b"two", second)


def test_link_out_of_the_store_is_neither_listed_read_nor_written_through(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    store.put(put("logs/a"))
    (tmp_path / "bucket" / "out").symlink_to(outside)
    (tmp_path / "bucket" / "secret").symlink_to(outside / "secret")
    (tmp_path / "bucket" / "loop").symlink_to(tmp_path / "bucket" / "loop")

    assert [e.path for e in store.list()] == ["logs/a"]
    assert list(store.list("out/")) == []
    assert [store.read("secret"), store.read("loop")] == [None, None]
    for action in (
        lambda: store.read("out/secret"),
        lambda: store.put(put("out/new")),
        lambda: store.put(put("out/d/new")),
    ):
        with pytest.raises(StoreError):
            action()
    assert [p.name for p in outside.iterdir()] == ["secret"]


def test_special_files_are_no_objects(store: Store, tmp_path: Path) -> None:
    store.put(put("a"))
    os.mkfifo(tmp_path / "bucket" / "fifo")

    assert [e.path for e in store.list()] == ["a"]
    assert store.read("fifo") is None


def test_name_that_is_not_utf8_is_listed_escaped_and_not_there(store: Store, tmp_path: Path) -> None:
    store.put(put("a"))
    (tmp_path / "bucket" / os.fsdecode(b"bad\xff")).write_bytes(b"x")

    assert [e.path for e in store.list()] == ["a", "bad\\xff"]
    assert store.read("bad\\xff") is None


@pytest.mark.parametrize("root", ["file", "file/below", "/proc/nothing/here"])
def test_store_that_cannot_be_written_is_a_store_error_with_a_hint(root: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = open_store(str(tmp_path / root))

    with pytest.raises(StoreError, match="cannot be written") as caught:
        store.put(put("a"))
    assert caught.value.hint.startswith("test -w ")


def test_large_file_is_copied_from_disk_and_compared_by_bytes(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3 * 1024 * 1024 + 1))

    store.put(put("big", source))

    assert store.holds(put("big", source))
    source.write_bytes(source.read_bytes()[:-1] + b"\0\0")
    assert not store.holds(put("big", source))


def test_processes_that_replace_at_once_lose_nothing(store: Store, tmp_path: Path) -> None:
    store.put(put("n", b""))
    code = (
        "import sys\nfrom upload.store import open_store\nfrom upload.model import Put\nfrom upload.errors import PreconditionFailed\n"
        "s = open_store(sys.argv[1])\n"
        "for i in range(20):\n"
        "    while True:\n"
        "        f = s.read('n')\n"
        "        try: s.put(Put('n', f.body + sys.argv[2].encode(), 'text/plain'), replaces=f.generation)\n"
        "        except PreconditionFailed: continue\n"
        "        break\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "bucket")]
    writers = [subprocess.Popen([*argv, letter]) for letter in "abc"]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    stored = store.read("n")
    assert stored is not None
    assert {letter: stored.body.count(letter.encode()) for letter in "abc"} == {"a": 20, "b": 20, "c": 20}
