"""Builds of pull requests and batches: published, found again by every address, and told when an alias is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from upload.censor import Censor
from upload.errors import ResultsError
from upload.layout import pull_prefix
from upload.model import BuildRef
from upload.publish_folder import FolderRequest, publish_folder
from upload.store import Store, open_store
from upload.verify import verify

JOB = "ci-kubernetes-e2e-local"
NOW_S = 1784700000  # 2026-07-22 06:00:00 UTC
PULLS = ("org_repo/7", "org_repo/8", "batch")
NUMBERS = ("20260722060000", "20260722060001", "20260722060002")
DIRECTORY = f"pr-logs/directory/{JOB}"


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A bucket with one build of each of two pull requests and a batch, and a periodic one."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "junit_01.xml").write_text('<testsuite><testcase classname="c" name="t" time="1"/></testsuite>')
    store = open_store(str(tmp_path / "bucket"))
    for prefix in (*map(pull_prefix, PULLS), "logs"):
        request = FolderRequest(folder, BuildRef(prefix, JOB, ""), "node", NOW_S, "v1.36.3")
        publish_folder(request, store, censor=Censor(), state=tmp_path / "state")
    return tmp_path / "bucket"


def rules(store: Store) -> list[tuple[str, str]]:
    return [(f.rule, f.object) for f in verify(store, now_s=NOW_S).findings]


def test_publish_lays_out_pull_requests_as_readers_look_for_them(bucket: Path) -> None:
    paths = sorted(str(p.relative_to(bucket)) for p in (bucket / "pr-logs").rglob("*") if p.name != "cases.jsonl")

    files = [path for path in paths if (bucket / path).is_file() and "/artifacts/" not in path]
    folders = [f"pr-logs/pull/{pull}/{JOB}/{number}" for pull, number in zip(PULLS, NUMBERS, strict=True)]
    assert files == sorted(
        [
            *(f"{folder}/{name}" for folder in folders for name in ("finished.json", "started.json")),
            *(f"{DIRECTORY}/{number}.txt" for number in NUMBERS),
            f"{DIRECTORY}/jobResultsCache.json",
            f"{DIRECTORY}/latest-build.txt",
        ]
    )
    assert (bucket / DIRECTORY / "latest-build.txt").read_text() == f"{NUMBERS[-1]}\n"
    for folder, number in zip(folders, NUMBERS, strict=True):
        assert (bucket / DIRECTORY / f"{number}.txt").read_text() == (bucket / folder).as_uri()


@pytest.mark.parametrize(
    ("path", "builds"),
    [
        ("", 4),
        ("logs", 1),
        ("pr-logs", 3),
        ("pr-logs/pull", 3),
        ("pr-logs/pull/org_repo/7", 1),
        (f"pr-logs/pull/org_repo/7/{JOB}", 1),
        (f"pr-logs/pull/org_repo/7/{JOB}/{NUMBERS[0]}", 1),
        ("pr-logs/pull/org_repo", 2),
        ("pr-logs/pull/batch", 1),
        (f"pr-logs/pull/batch/{JOB}", 1),
    ],
)
def test_good_builds_are_found_by_every_address(bucket: Path, path: str, builds: int) -> None:
    report = verify(open_store(str(bucket / path)), now_s=NOW_S)

    assert (report.findings, report.builds) == ((), builds)


@pytest.mark.parametrize("path", ["pr-logs/directory", DIRECTORY])
def test_folder_of_aliases_is_no_address(bucket: Path, path: str) -> None:
    with pytest.raises(ResultsError, match="aliases are checked with their builds") as caught:
        verify(open_store(str(bucket / path)), now_s=NOW_S)
    assert caught.value.hint == f"e2e verify {bucket.as_uri()}"


@pytest.mark.rule("alias.missing")
def test_build_without_an_alias_is_found(bucket: Path) -> None:
    (bucket / DIRECTORY / f"{NUMBERS[0]}.txt").unlink()

    assert rules(open_store(str(bucket))) == [("alias.missing", f"{DIRECTORY}/{NUMBERS[0]}.txt")]


@pytest.mark.rule("alias.link")
@pytest.mark.parametrize("text", ["", "gs://bucket/elsewhere", f"gs://bucket/pr-logs/pull/org_repo/8/{JOB}/1", "\xff"])
def test_alias_that_leads_elsewhere_is_found(bucket: Path, text: str) -> None:
    (bucket / DIRECTORY / f"{NUMBERS[0]}.txt").write_text(text)

    assert rules(open_store(str(bucket))) == [("alias.link", f"{DIRECTORY}/{NUMBERS[0]}.txt")]


@pytest.mark.rule("alias.link")
def test_alias_of_no_build_is_found(bucket: Path) -> None:
    (bucket / DIRECTORY / "20260722060009.txt").write_text("gs://bucket/pr-logs/pull/org_repo/7/x/20260722060009")
    (bucket / DIRECTORY / "notes.txt").write_text("no alias")

    assert rules(open_store(str(bucket))) == [("alias.link", f"{DIRECTORY}/20260722060009.txt")]


def test_copy_of_a_bucket_keeps_the_addresses_of_the_bucket(bucket: Path) -> None:
    for number, pull in zip(NUMBERS, PULLS, strict=True):
        (bucket / DIRECTORY / f"{number}.txt").write_text(f"gs://bucket/pr-logs/pull/{pull}/{JOB}/{number}\n")

    assert rules(open_store(str(bucket))) == []


def test_latest_build_counts_over_all_pull_requests(bucket: Path) -> None:
    (bucket / DIRECTORY / "latest-build.txt").write_text(f"{NUMBERS[0]}\n")

    assert rules(open_store(str(bucket))) == [("latest.behind", f"{DIRECTORY}/latest-build.txt")]


def test_pull_logs_without_a_build_hold_no_build(tmp_path: Path) -> None:
    (tmp_path / "pr-logs/pull/org_repo/7").mkdir(parents=True)

    with pytest.raises(ResultsError, match="there is no build"):
        verify(open_store(str(tmp_path)), now_s=NOW_S)
