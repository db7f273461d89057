"""From a folder to a build in a store, and again after being killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from upload.censor import Censor
from upload.errors import Outcome, ResultsError, UsageError
from upload.model import BuildRef, Put, StepRecord
from upload.publish import PublishRequest, prepare, publish_build
from upload.publish_folder import FolderRequest, preview_folder, publish_folder
from upload.store import Entry, ObjectStat, Store, Stored, open_store
from upload.verify import verify

JOB = "ci-kubernetes-e2e-mine"
NOW_S = 1784700000  # 2026-07-22 06:00:00 UTC
PYTEST_XML = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="1" skipped="0" tests="2" time="1.5">
<properties><property name="a" value="b"/></properties>
<testcase classname="tests.test_a" name="test_one" time="0.5"/>
<testcase classname="tests.test_a" name="test_two" time="1.0"><failure message="boom">hunter2-hunter2</failure></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    (folder / "nodes").mkdir(parents=True)
    (folder / "junit_01.xml").write_text(PYTEST_XML)
    (folder / "build-log.txt").write_text("token hunter2-hunter2\n")
    (folder / "nodes" / "kubelet.log").write_text("x" * 5000)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "bucket"))


def request(folder: Path, number: str = "") -> FolderRequest:
    return FolderRequest(folder, BuildRef("logs", JOB, number), "node", NOW_S, "v1.36.3", (("provider", "mine"),))


def published(folder: Path, store: Store, tmp_path: Path, number: str = "") -> str:
    done = publish_folder(request(folder, number), store, censor=Censor(["hunter2-hunter2"]), state=tmp_path / "state")
    return done.prepared.plan.build.number


def paths(store: Store) -> list[str]:
    return [entry.path.removeprefix(f"logs/{JOB}/") for entry in store.list()]


def text(store: Store, path: str) -> str:
    stored = store.read(f"logs/{JOB}/{path}")
    assert stored is not None
    return stored.body.decode()


def test_folder_becomes_a_build_that_every_reader_accepts(folder: Path, store: Store, tmp_path: Path) -> None:
    number = published(folder, store, tmp_path)

    assert number == "20260722060000"
    assert paths(store) == [
        f"{number}/artifacts/cases.jsonl",
        f"{number}/artifacts/junit_01.xml",
        f"{number}/artifacts/nodes/kubelet.log",
        f"{number}/artifacts/original/junit_01.xml.orig",
        f"{number}/build-log.txt",
        f"{number}/finished.json",
        f"{number}/started.json",
        "jobResultsCache.json",
        "latest-build.txt",
    ]
    assert verify(store, now_s=NOW_S).findings == ()
    assert json.loads(text(store, f"{number}/finished.json")) == {
        "timestamp": NOW_S,
        "passed": False,
        "result": "FAILURE",
        "version": "v1.36.3",
        "job-version": "v1.36.3",
        "revision": "v1.36.3",
        "metadata": {"job-version": "v1.36.3", "provider": "mine"},
    }


def test_secret_reaches_the_store_in_no_object(folder: Path, store: Store, tmp_path: Path) -> None:
    asked = replace(request(folder), metadata=(("note", "hunter2-hunter2"),), version="v1+hunter2-hunter2")
    publish_folder(asked, store, censor=Censor(["hunter2-hunter2"]), state=tmp_path / "state")

    everything = b"".join((store.read(e.path) or Stored(b"", 0)).body for e in store.list())
    assert (b"hunter2" in everything, b"*" * 15 in everything) == (False, True)


def test_folder_is_not_written_to(folder: Path, store: Store, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    published(folder, store, tmp_path)

    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_publishing_again_makes_a_new_build_unless_an_id_is_asked(folder: Path, store: Store, tmp_path: Path) -> None:
    first = published(folder, store, tmp_path)
    second = published(folder, store, tmp_path)
    before = paths(store)

    assert (first, second) == ("20260722060000", "20260722060001")
    assert published(folder, store, tmp_path, number=second) == second
    assert paths(store) == before


def test_finished_build_with_other_content_is_refused(folder: Path, store: Store, tmp_path: Path) -> None:
    number = published(folder, store, tmp_path)
    (folder / "nodes" / "kubelet.log").write_text("other")

    with pytest.raises(ResultsError, match="is finished without"):
        published(folder, store, tmp_path, number=number)


def test_new_attempt_is_another_build_that_names_the_first(folder: Path, store: Store, tmp_path: Path) -> None:
    first = published(folder, store, tmp_path)
    before = {path: text(store, path) for path in paths(store) if path.startswith(first)}
    (folder / "nodes" / "kubelet.log").write_text("other")
    attempt = replace(request(folder, first), new_attempt=True)

    with pytest.raises(Killed):  # a killed one goes on with its own id
        publish_folder(attempt, Dying(store, 2), censor=Censor(), state=tmp_path / "state")
    second = publish_folder(attempt, store, censor=Censor(), state=tmp_path / "state").prepared.plan.build.number
    third = publish_folder(attempt, store, censor=Censor(), state=tmp_path / "state").prepared.plan.build.number

    assert (second, third) == ("20260722060001", "20260722060002")
    assert json.loads(text(store, f"{second}/finished.json"))["metadata"]["attempt-of"] == first
    assert {path: text(store, path) for path in paths(store) if path.startswith(first)} == before
    assert verify(store, now_s=NOW_S).findings == ()


def test_new_attempt_of_nothing_is_refused(folder: Path, store: Store, tmp_path: Path) -> None:
    attempt = replace(request(folder, "20260722060000"), new_attempt=True)

    with pytest.raises(UsageError, match="no build to make another attempt of"):
        publish_folder(attempt, store, censor=Censor(), state=tmp_path / "state")
    assert not (tmp_path / "bucket").exists()


def test_id_of_a_build_that_runs_elsewhere_is_refused(folder: Path, store: Store, tmp_path: Path) -> None:
    store.put(Put(f"logs/{JOB}/20260722000000/started.json", b"{}", "application/json"))

    with pytest.raises(UsageError, match="exists already"):
        published(folder, store, tmp_path, number="20260722000000")


@dataclass
class Dying:
    """A store whose process is killed at the n-th write, before or after it is done."""

    inner: Store
    writes_left: int
    does_it: bool = True

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
        self.writes_left -= 1
        if self.writes_left < 0 and not self.does_it:
            raise Killed
        stat = self.inner.put(put, replaces=replaces)
        if self.writes_left < 0:
            raise Killed
        return stat


class Killed(BaseException):
    """What kill -9 would be."""


@pytest.mark.parametrize("writes", range(9))
@pytest.mark.parametrize("does_it", [True, False], ids=["after", "before"])
def test_publish_that_was_killed_goes_on_with_the_same_build(
    folder: Path, store: Store, tmp_path: Path, writes: int, does_it: bool
) -> None:
    with pytest.raises(Killed):
        published(folder, Dying(store, writes, does_it), tmp_path)

    number = published(folder, store, tmp_path)

    assert number == "20260722060000"
    assert {path.split("/")[0] for path in paths(store)} == {number, "jobResultsCache.json", "latest-build.txt"}
    assert verify(store, now_s=NOW_S).findings == ()
    assert [p.name for p in (tmp_path / "state").rglob("*") if p.is_file()] == ["lock"]


def test_second_publish_of_the_same_folder_at_once_is_refused(folder: Path, store: Store, tmp_path: Path) -> None:
    class Meeting(Dying):
        def put(self, put: Put, *, replaces: int = 0) -> ObjectStat:
            if put.path.endswith("finished.json"):
                with pytest.raises(ResultsError, match="by another process"):
                    published(folder, store, tmp_path)
            return self.inner.put(put, replaces=replaces)

    published(folder, Meeting(store, 99), tmp_path)

    assert len({path.split("/")[0] for path in paths(store)}) == 3


def test_preview_writes_nothing(folder: Path, store: Store, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    prepared = preview_folder(request(folder), store, censor=Censor(), scratch=scratch)

    assert prepared.plan.build.number == "20260722060000"
    assert not (tmp_path / "bucket").exists()


def test_folder_that_is_none_is_a_usage_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        published(tmp_path / "nothing", store, tmp_path)


def test_empty_folder_is_published_as_nothing_selected(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = publish_folder(request(tmp_path / "empty"), store, censor=Censor(), state=tmp_path / "state")

    assert done.prepared.verdict.outcome is Outcome.USAGE
    assert [f.rule for f in done.prepared.findings] == ["junit.none"]


def test_steps_of_a_run_decide_with_its_cases(folder: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    steps = (StepRecord("Up", NOW_S, 1.0, failure="no quota"),)
    build = BuildRef("logs", JOB, "20260722060000")

    prepared = prepare(PublishRequest(build, folder, NOW_S, steps=steps), censor=Censor(), scratch=scratch)

    assert prepared.verdict.outcome is Outcome.PROVIDER


def test_copies_that_a_killed_publish_left_are_removed(store: Store, tmp_path: Path, folder: Path) -> None:
    scratch = tmp_path / "scratch"
    (scratch / "half").mkdir(parents=True)
    (scratch / "half" / "copy").write_text("not censored yet")
    build = BuildRef("logs", "ci-kubernetes-x", "20260722060000")

    publish_build(PublishRequest(build, folder, NOW_S), store, censor=Censor(), scratch=scratch)

    assert not scratch.exists()
    assert "half" not in " ".join(paths(store))


def test_scratch_that_cannot_be_made_is_an_error_of_the_results(store: Store, tmp_path: Path, folder: Path) -> None:
    build = BuildRef("logs", "ci-kubernetes-x", "20260722060000")

    with pytest.raises(ResultsError, match="No such file"):
        publish_build(PublishRequest(build, folder, NOW_S), store, censor=Censor(), scratch=tmp_path / "no" / "where")


def test_state_folder_is_not_published(store: Store, tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UsageError, match="the state folder"):
        publish_folder(request(folder), store, censor=Censor(), state=folder / "state" / "publish")
    assert not (tmp_path / "bucket").exists()


def test_name_too_long_for_the_store_is_left_out_with_a_finding(store: Store, tmp_path: Path, folder: Path) -> None:
    deep = folder
    for _ in range(5):
        deep = deep / ("d" * 190)
    deep.mkdir(parents=True)
    (deep / "log.txt").write_text("x")
    build = BuildRef("p" * 200, "ci-kubernetes-" + "j" * 180, "20260722060000")

    done = publish_build(PublishRequest(build, folder, NOW_S), store, censor=Censor(), scratch=tmp_path / "scratch")

    assert len([e for e in store.list() if e.path.endswith("finished.json")]) == 1
    assert done.prepared.findings != ()
