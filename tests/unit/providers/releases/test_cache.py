from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from providers.contracts import Deadline
from providers.releases.cache import UNUSED_S, Cache, Found, Key
from upload.errors import ProviderError

KEY = Key("kubectl", "v1.36.3", "linux/amd64")


def adopt(cache: Cache, key: Key = KEY, body: bytes = b"program") -> Path:
    with cache.locked([key], Deadline.after(5, "the lock")), cache.staging(key) as folder:
        (folder / "made").write_bytes(body)
        return cache.adopt(key, folder / "made", "a test")


def test_an_adopted_program_is_found_with_its_origin(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")

    path = adopt(cache)

    assert path == tmp_path / "cache/kubectl/v1.36.3-linux-amd64/kubectl"
    assert cache.find(KEY) == Found(path, "a test")
    assert json.loads((path.parent / "origin.json").read_text()) == {"origin": "a test", "size_bytes": 7}


def test_looking_makes_nothing(tmp_path: Path) -> None:
    assert Cache(tmp_path / "cache").find(KEY) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "key", [Key("kubectl", "v1.36.3", "linux/amd64", "go-x"), Key("kubectl", "v1.36.3", "linux/arm64")]
)
def test_another_key_is_another_entry(key: Key, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    adopt(cache)

    assert cache.find(key) is None


@pytest.mark.parametrize("origin", [b"", b"[]", b"{}", b'{"size_bytes": 7}', b'{"size_bytes": 8, "origin": "x"}'])
def test_a_damaged_entry_is_absent_and_can_be_replaced(origin: bytes, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    path = adopt(cache)
    (path.parent / "origin.json").write_bytes(origin)

    assert cache.find(KEY) is None
    assert adopt(cache, body=b"new") == path
    assert path.read_bytes() == b"new"


def test_what_a_killed_holder_left_is_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    left = tmp_path / "tmp" / "kubectl-v1.36.3-linux-amd64.dead"
    other = tmp_path / "tmp" / "etcd-v3.6.8-linux-amd64.alive"
    for folder in (left, other):
        folder.mkdir(parents=True)

    adopt(cache)

    assert list((tmp_path / "tmp").iterdir()) == [other]


def test_a_failing_fetch_leaves_no_staging_folder(tmp_path: Path) -> None:
    def fail() -> None:
        with Cache(tmp_path).staging(KEY) as folder:
            (folder / "half").write_bytes(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_open_cache_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    adopt(Cache(tmp_path))

    assert oct(tmp_path.stat().st_mode & 0o777) == "0o700"


def test_entries_nobody_used_for_two_months_are_forgotten(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    old, used = Key("kubectl", "v1.1.0", "linux/amd64"), Key("kubectl", "v1.2.0", "linux/amd64")
    for key in (old, used):
        entry = adopt(cache, key).parent
        at = entry.stat().st_mtime - UNUSED_S - 60
        os.utime(entry, (at, at))
    assert cache.find(used) is not None

    adopt(cache)

    assert cache.find(old) is None
    assert cache.find(used) is not None


def test_a_cache_that_cannot_be_made_is_a_provider_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ProviderError, match="cannot be written: Not a directory"):
        adopt(Cache(tmp_path / "file" / "cache"))
