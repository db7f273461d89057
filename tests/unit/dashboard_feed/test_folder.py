from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from dashboard_feed.folder import LOCK, MANIFEST, locked, replace
from upload.errors import DeadlineExceeded, ResultsError, UsageError


def contents(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if name not in (MANIFEST, LOCK)}


def put(folder: Path, files: dict[str, bytes]) -> int:
    with locked(folder):
        return replace(folder, files)


def test_files_that_vanished_are_removed_with_their_folders(tmp_path: Path) -> None:
    site = tmp_path / "a" / "site"
    put(site, {"index.html": b"1", "jobs/x/build-1.html": b"old", "jobs/y/index.html": b"y"})
    put(site, {"index.html": b"2", "jobs/y/index.html": b"y"})

    assert contents(site) == {"index.html": b"2", "jobs/y/index.html": b"y"}
    assert not (site / "jobs" / "x").exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    put(tmp_path, {"jobs/x/build-1.html": b"old"})
    (tmp_path / "jobs/x/notes.txt").write_bytes(b"mine")
    put(tmp_path, {})

    assert contents(tmp_path) == {"jobs/x/notes.txt": b"mine"}


def test_only_changed_files_are_written(tmp_path: Path) -> None:
    put(tmp_path, {"a": b"1", "b": b"1"})
    before = (tmp_path / "a").stat().st_mtime_ns

    assert put(tmp_path, {"a": b"1", "b": b"2"}) == 1
    assert (tmp_path / "a").stat().st_mtime_ns == before


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_bytes(b"")

    with pytest.raises(UsageError, match=r"holds files that no site build made, such as thesis\.doc"):
        put(tmp_path, {"index.html": b""})
    assert contents(tmp_path) == {"thesis.doc": b""}


def test_a_build_that_was_cut_off_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    put(tmp_path, {"index.html": b"1"})
    (tmp_path / "b").mkdir()  # a file cannot be renamed over a folder: the build stops here
    with pytest.raises(ResultsError, match="cannot write the site"):
        put(tmp_path, {"a": b"2", "b": b"2", "c": b"2"})
    (tmp_path / "b").rmdir()
    put(tmp_path, {"index.html": b"3"})

    assert contents(tmp_path) == {"index.html": b"3"}


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[1]",
        b'{"files": 7}',
        b'{"files": ["../outside", "/etc/x", "", 5, null]}',
        b'{"files": ["../outside"], "format": 9}',
    ],
)
def test_a_damaged_manifest_removes_nothing_outside(tmp_path: Path, manifest: bytes) -> None:
    outside, site = tmp_path / "outside", tmp_path / "site"
    outside.write_bytes(b"mine")
    site.mkdir()
    (site / MANIFEST).write_bytes(manifest)
    put(site, {"index.html": b"1"})

    assert (outside.read_bytes(), contents(site)) == (b"mine", {"index.html": b"1"})


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    outside, site = tmp_path / "outside", tmp_path / "site"
    outside.mkdir()
    (outside / "page.html").write_bytes(b"mine")
    put(site, {"jobs/page.html": b"1"})
    (site / "jobs/page.html").unlink()
    (site / "jobs").rmdir()
    (site / "jobs").symlink_to(outside)
    put(site, {})

    assert (outside / "page.html").read_bytes() == b"mine"


def test_a_second_build_waits_and_gives_up(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            pytest.raises(DeadlineExceeded, match=r"another build of the site in .* was not done after 0\.2 s"),
            locked(tmp_path, timeout_s=0.2),
        ):
            raise AssertionError


def test_the_manifest_lists_what_was_made(tmp_path: Path) -> None:
    put(tmp_path, {"b": b"", "a/c": b""})

    assert json.loads((tmp_path / MANIFEST).read_bytes()) == {"format": 1, "files": ["a/c", "b"]}
