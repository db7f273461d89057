from __future__ import annotations

from pathlib import Path

import pytest

from dashboard_feed.places import JobPlace, build_folder, find_places, list_ids, pull_of
from upload.errors import ResultsError
from upload.store import Store, open_store


def make(root: Path, *paths: str, body: str = "") -> Store:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body)
    return open_store(str(root))


def alias(root: Path, link: str, name: str = "directory/j/7.txt") -> Store:
    return make(root, name, body=link)


def test_periodic_jobs_are_the_folders_of_the_root(tmp_path: Path) -> None:
    store = make(tmp_path, "b/1/started.json", "a/1/started.json", "readme.txt")

    assert list(find_places(store, 9)) == [JobPlace("a", "a/"), JobPlace("b", "b/")]
    assert list(find_places(store, 1)) == [JobPlace("a", "a/")]


@pytest.mark.parametrize("above", ["", "pr-logs/"], ids=["as the root", "below the root"])
def test_jobs_of_pull_requests_are_those_of_the_directory(above: str, tmp_path: Path) -> None:
    root = tmp_path / ("bucket" if above else "pr-logs")
    store = make(root, f"{above}directory/j/7.txt", f"{above}pull/o_r/1/j/7/started.json")

    assert list(find_places(store, 9)) == [JobPlace("j", f"{above}directory/j/", is_aliased=True)]


def test_without_aliases_each_pull_request_is_a_place(tmp_path: Path) -> None:
    root = tmp_path / "pr-logs"
    store = make(root, "pull/o_r/12/j/7/x", "pull/o_r/12/k/7/x", "pull/o_r/odd/k/7/x", "pull/batch/j/8/x")

    assert list(find_places(store, 9)) == [
        JobPlace("j", "pull/batch/j/"),
        JobPlace("j", "pull/o_r/12/j/"),
        JobPlace("k", "pull/o_r/12/k/"),
    ]


def test_ids_are_folders_or_aliases_from_an_offset(tmp_path: Path) -> None:
    store = make(
        tmp_path,
        "j/10/x",
        "j/11/x",
        "j/latest-build.txt",
        "directory/j/10.txt",
        "directory/j/11.txt",
        "directory/j/c/x",
        "directory/j/latest-build.txt",
    )

    assert list(list_ids(store, JobPlace("j", "j/"))) == ["10", "11"]
    assert list(list_ids(store, JobPlace("j", "j/"), start="11")) == ["11"]
    assert list(list_ids(store, JobPlace("j", "directory/j/", is_aliased=True), start="11")) == ["11"]


@pytest.mark.parametrize(
    ("link", "folder"),
    [
        pytest.param("{root}/pull/o_r/12/j/7\n", "pull/o_r/12/j/7/", id="in this bucket"),
        pytest.param(
            "gs://elsewhere/pr-logs/pull/batch/j/7", "pull/batch/j/7/", id="in the bucket of which this is a copy"
        ),
    ],
)
def test_an_alias_tells_where_its_build_is(link: str, folder: str, tmp_path: Path) -> None:
    root = tmp_path / "pr-logs"
    store = alias(root, link.format(root=root.as_uri()))

    assert build_folder(store, JobPlace("j", "directory/j/", is_aliased=True), "7") == folder


@pytest.mark.parametrize(
    "link",
    [
        "",
        "file:///elsewhere/pr-logs/pull/o_r/12/j/7",
        "gs://b/logs/j/7",
        "gs://b/pr-logs/pull/o_r/12/j/8",
        "gs://b/pr-logs/pull/o_r/12/k/7",
        "gs://b/pr-logs/../../../etc/j/7",
        "\ufffd\x00",
    ],
)
def test_an_alias_that_leads_elsewhere_is_refused(link: str, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"directory/j/7\.txt: leads to"):
        build_folder(alias(tmp_path / "pr-logs", link), JobPlace("j", "directory/j/", is_aliased=True), "7")


@pytest.mark.parametrize(
    ("folder", "pull"),
    [("j/7/", ""), ("pull/o_r/12/j/7/", "o_r/12"), ("pr-logs/pull/batch/j/7/", "batch"), ("pull/7/", "")],
)
def test_the_pull_request_stands_in_the_folder(folder: str, pull: str) -> None:
    assert pull_of(folder) == pull
