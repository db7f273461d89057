"""Paths, names and ids: the tables that every reader and writer of the tree goes by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.errors import LayoutError
from upload.layout import (
    BuildPaths,
    as_integer,
    build_paths,
    check_job,
    check_number,
    check_object_name,
    check_prefix,
    content_type,
    is_junit_path,
    is_text,
    junit_readers,
    number_key,
    printable,
    pull_prefix,
    sort_numbers,
)
from upload.model import BuildRef, Severity

JOB = "ci-kubernetes-e2e-local"


def test_paths_of_a_build() -> None:
    folder = f"logs/{JOB}/20260722000000/"

    assert build_paths(BuildRef("logs", JOB, "20260722000000")) == BuildPaths(
        folder=folder,
        started=f"{folder}started.json",
        finished=f"{folder}finished.json",
        log=f"{folder}build-log.txt",
        artifacts=f"{folder}artifacts/",
        cache=f"logs/{JOB}/jobResultsCache.json",
        latest=f"logs/{JOB}/latest-build.txt",
    )


@pytest.mark.parametrize(
    ("pull", "folder"),
    [("kubernetes_kubernetes/12345", "pr-logs/pull/kubernetes_kubernetes/12345/"), ("batch", "pr-logs/pull/batch/")],
    ids=["pull", "batch"],
)
def test_build_of_a_pull_request_shares_the_jobs_directory(pull: str, folder: str) -> None:
    folder += f"{JOB}/20260722000000/"

    assert build_paths(BuildRef(pull_prefix(pull), JOB, "20260722000000")) == BuildPaths(
        folder=folder,
        started=f"{folder}started.json",
        finished=f"{folder}finished.json",
        log=f"{folder}build-log.txt",
        artifacts=f"{folder}artifacts/",
        cache=f"pr-logs/directory/{JOB}/jobResultsCache.json",
        latest=f"pr-logs/directory/{JOB}/latest-build.txt",
        alias=f"pr-logs/directory/{JOB}/20260722000000.txt",
    )


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [("", f"{JOB}/1/"), ("logs", f"logs/{JOB}/1/"), ("a/b-c/d.e", f"a/b-c/d.e/{JOB}/1/")],
    ids=["none", "one", "deep"],
)
def test_folder_of_a_build_stands_below_the_prefix(prefix: str, folder: str) -> None:
    assert build_paths(BuildRef(prefix, JOB, "1")).folder == folder


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (BuildRef("logs", "", "1"), "job.name"),
        (BuildRef("logs", "a/b", "1"), "job.name"),
        (BuildRef("logs", "..", "1"), "job.name"),
        (BuildRef("logs", "job name", "1"), "job.name"),
        (BuildRef("logs", "job#1", "1"), "job.name"),
        (BuildRef("logs", "j\n", "1"), "job.name"),
        (BuildRef("logs", "x" * 201, "1"), "job.name"),
        (BuildRef("/logs", JOB, "1"), "prefix.name"),
        (BuildRef("logs/", JOB, "1"), "prefix.name"),
        (BuildRef("../logs", JOB, "1"), "prefix.name"),
        (BuildRef("logs", JOB, ""), "build.id"),
        (BuildRef("logs", JOB, "v1"), "build.id"),
        (BuildRef("logs", JOB, "../1"), "build.id"),
    ],
    ids=repr,
)
def test_name_that_a_reader_rejects_is_a_layout_error_that_names_the_reader(build: BuildRef, rule: str) -> None:
    with pytest.raises(LayoutError) as caught:
        build_paths(build)
    assert [f.rule for f in caught.value.findings] == [rule]
    assert all(f.readers for f in caught.value.findings)


@pytest.mark.rule("build.id")
@pytest.mark.parametrize("number", ["1", "20260722000000", str(2**53 - 1)])
def test_integer_is_a_build_id(number: str) -> None:
    assert check_number(number) == ()


@pytest.mark.rule("build.id")
@pytest.mark.parametrize(
    "number", ["", "0", "007", "+1", "-1", "1.0", "1e3", "\uff11\uff12", "1\n", "v5", str(2**53), "9" * 500]
)
def test_other_text_is_no_build_id(number: str) -> None:
    assert [f.rule for f in check_number(number)] == ["build.id"]


@pytest.mark.rule("job.listed")
@pytest.mark.parametrize(
    ("job", "listed"),
    [("ci-kubernetes-e2e-x", True), ("kubernetes-e2e", True), ("my-ci-kubernetes-x", True), ("kubelet-gce-e2e-ci", True),
     ("my-kubernetes", False), ("e2e", False)],
)  # fmt: skip
def test_job_that_test_history_does_not_list_is_a_warning(job: str, listed: bool) -> None:
    assert [(f.rule, f.severity) for f in check_job(job)] == ([] if listed else [("job.listed", Severity.WARNING)])


@pytest.mark.rule("job.name")
def test_job_name_is_checked() -> None:
    assert [f.rule for f in check_job("a b")] == ["job.name"]


@pytest.mark.rule("prefix.name")
@pytest.mark.parametrize(
    "prefix",
    [
        "a//b",
        "pr-logs",
        "pr-logs/5",
        "pr-logs/org_repo/5",
        "pr-logs/pull",
        "pr-logs/pull/org_repo",
        "pr-logs/pull/org_repo/0",
        "pr-logs/pull/org_repo/x",
        "pr-logs/pull/org_repo/1/2",
        "pr-logs/pull/batch/1",
        "pr-logs/directory",
    ],
)
def test_prefix_is_checked(prefix: str) -> None:
    assert [f.rule for f in check_prefix(prefix)] == ["prefix.name"]


# path below the build -> the readers that take it for JUnit
JUNIT = {
    "artifacts/junit_01.xml": ("gubernator", "kettle", "test-history", "testgrid"),
    "artifacts/junit_runner.xml": ("gubernator", "kettle", "test-history", "testgrid"),
    "artifacts/junit_fed_20260722-0000_03.xml": ("gubernator", "kettle", "test-history", "testgrid"),
    "artifacts/junit.xml": ("kettle", "test-history", "testgrid"),
    "artifacts/junit-x.xml": ("kettle", "test-history", "testgrid"),
    "artifacts/deep/er/junit_01.xml": ("testgrid",),
    "artifacts/deep/test.xml": ("testgrid",),
    "artifacts/test.xml": ("testgrid",),
    "artifacts/my-junit.xml": (),
    "artifacts/results.xml": (),
    "artifacts/junit_01.xml.orig": ("gubernator",),
    "artifacts/junit_01.xml.gz": ("gubernator",),
    "artifacts/a/junit_01.xml.gz": (),
    "artifacts/original/junit_01.xml.orig": (),
    "artifacts/junit_01.txt": (),
    "build-log.txt": (),
}


@pytest.mark.parametrize("path", JUNIT)
def test_readers_that_take_a_file_for_junit(path: str) -> None:
    assert (junit_readers(path), is_junit_path(path)) == (JUNIT[path], bool(JUNIT[path]))


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("started.json", "application/json", True),
        ("a/build-log.txt", "text/plain", True),
        ("a/junit_01.xml", "application/xml", True),
        ("a/x.LOG", "text/plain", True),
        ("cases.jsonl", "application/x-ndjson", True),
        ("kubelet.log.gz", "application/gzip", False),
        ("core", "application/octet-stream", False),
        (".txt", "application/octet-stream", False),
        ("a.txt/core", "application/octet-stream", False),
        ("x.png", "image/png", False),
    ],
)
def test_content_type_goes_by_the_name(path: str, kind: str, text: bool) -> None:
    assert (content_type(path), is_text(path)) == (kind, text)


@pytest.mark.rule("object.name")
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "./a",
        "a/../b",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\x9bb",
        "a\u2028b",
        "x" * 1025,
        "é" * 513,
        "\ud800",
    ],
)
def test_name_that_a_store_or_reader_breaks_on_is_found(path: str) -> None:
    assert [f.rule for f in check_object_name(path)] == ["object.name"]


@pytest.mark.parametrize("path", ["a", "a/b.c", "x" * 1024, "é" * 512, "a b", "-a", "...", "a/.hidden"])
def test_odd_but_lawful_name_is_taken(path: str) -> None:
    assert check_object_name(path) == ()


def test_builds_are_sorted_as_numbers_and_what_is_none_comes_first() -> None:
    numbers = ["10", "9", "v10", "v9", "20260722000000", "1", "junk"]

    assert sort_numbers(numbers) == ["junk", "v9", "v10", "1", "9", "10", "20260722000000"]


@pytest.mark.parametrize(
    "oldest_first",
    [
        pytest.param(["1894040000000000000", "1894040000000000001", "2000000000000000000"], id="19 digits, as of prow"),
        pytest.param(["9" * 1000, "1" + "0" * 1000], id="a name full of digits"),
        pytest.param(["007", "x", "0", "7"], id="leading zeros are no number"),
    ],
)
def test_ids_of_any_length_sort(oldest_first: list[str]) -> None:
    newest_first = oldest_first[::-1]

    assert sorted(newest_first, key=number_key) == oldest_first


@given(st.lists(st.text(max_size=30)))
def test_sorting_takes_any_text(numbers: list[str]) -> None:
    assert sorted(sort_numbers(numbers)) == sorted(numbers)


@given(st.integers(min_value=0, max_value=10**60))
def test_integer_comes_back(value: int) -> None:
    assert as_integer(str(value)) == value


@given(st.text())
def test_printable_text_is_printable_and_bounded(text: str) -> None:
    shown = printable(text, longest=50)

    assert shown.isprintable()
    assert printable(shown, longest=1000) == shown
