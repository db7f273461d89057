"""A plan is a value: order, types, encodings."""

from __future__ import annotations

from pathlib import Path

import pytest

from upload.documents import CacheEntry, Finished
from upload.errors import LayoutError
from upload.model import BuildRef, Put
from upload.plan import COMPRESS_BELOW_BYTES, COMPRESS_FROM_BYTES, Plan, plan_build

BUILD = BuildRef("logs", "ci-kubernetes-e2e-local", "20260722000000")
FOLDER = "logs/ci-kubernetes-e2e-local/20260722000000/"
FINISHED = Finished(7, True, "SUCCESS", "v1.36.3")


def test_plan_is_in_the_order_in_which_readers_may_see_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"log\n")

    plan = plan_build(BUILD, {"z.txt": b"z", "junit_01.xml": b"<testsuite/>", "a/b": b""}, log, FINISHED)

    assert plan == Plan(
        build=BUILD,
        artifacts=(
            Put(f"{FOLDER}artifacts/a/b", b"", "application/octet-stream"),
            Put(f"{FOLDER}artifacts/junit_01.xml", b"<testsuite/>", "application/xml"),
            Put(f"{FOLDER}artifacts/z.txt", b"z", "text/plain"),
        ),
        log=Put(f"{FOLDER}build-log.txt", log, "text/plain"),
        finished=plan.finished,
        entry=CacheEntry("20260722000000", "v1.36.3", True, "SUCCESS"),
        cache="logs/ci-kubernetes-e2e-local/jobResultsCache.json",
        latest="logs/ci-kubernetes-e2e-local/latest-build.txt",
    )
    assert plan.paths() == (
        f"{FOLDER}artifacts/a/b",
        f"{FOLDER}artifacts/junit_01.xml",
        f"{FOLDER}artifacts/z.txt",
        f"{FOLDER}build-log.txt",
        f"{FOLDER}finished.json",
        "logs/ci-kubernetes-e2e-local/jobResultsCache.json",
        "logs/ci-kubernetes-e2e-local/latest-build.txt",
    )


def test_plan_does_not_depend_on_the_order_of_its_files() -> None:
    files = {"b": b"1", "a": b"2", "c": b"3"}

    assert plan_build(BUILD, files, None, FINISHED) == plan_build(BUILD, dict(reversed(files.items())), None, FINISHED)


@pytest.mark.parametrize(
    ("name", "size_bytes", "encoding"),
    [
        ("a.txt", COMPRESS_FROM_BYTES - 1, ""),
        ("a.txt", COMPRESS_FROM_BYTES, "gzip"),
        ("a.txt", COMPRESS_BELOW_BYTES - 1, "gzip"),
        ("a.txt", COMPRESS_BELOW_BYTES, ""),
        ("junit_01.xml", 10_000, "gzip"),
        ("cases.jsonl", 10_000, "gzip"),
        ("kubelet.log.gz", 10_000, ""),
        ("core", 10_000, ""),
    ],
)
def test_only_text_that_is_read_whole_is_compressed(name: str, size_bytes: int, encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * size_bytes)

    by_bytes, by_file = (plan_build(BUILD, {name: b}, None, FINISHED).artifacts[0] for b in (file.read_bytes(), file))

    assert (by_bytes.content_encoding, by_file.content_encoding) == (encoding, encoding)


def test_log_is_never_compressed_since_viewers_read_ranges_of_it() -> None:
    log = plan_build(BUILD, {}, b"x" * 10_000, FINISHED).log

    assert log is not None
    assert log.content_encoding == ""


def test_everything_of_one_build_is_created_once() -> None:
    plan = plan_build(BUILD, {"a": b""}, b"", FINISHED)

    assert [put.create_only for put in plan.puts()] == [True, True, True]


def test_name_that_readers_cannot_address_is_a_layout_error() -> None:
    with pytest.raises(LayoutError):
        plan_build(BuildRef("logs", "a b", "1"), {}, None, FINISHED)
