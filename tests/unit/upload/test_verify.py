"""Every rule of the readers: a tree that keeps all of them has no finding, and each rule can be broken alone."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.documents import Finished
from upload.errors import ResultsError
from upload.model import BuildRef, Finding, Put, Severity
from upload.plan import plan_build
from upload.rules.documents import check_cache, check_finished, check_latest, check_started
from upload.rules.junit import check_junit
from upload.rules.table import READERS, RULES
from upload.store import Entry, ObjectStat, Store, Stored, open_store
from upload.store.base import READ_LIMIT_BYTES
from upload.verify import check_plan, verify

JOB = "ci-kubernetes-e2e-local"
NOW_S = 1784700000
STARTED = {
    "timestamp": 1784678400,
    "node": "n",
    "version": "v1",
    "revision": "v1",
    "repos": {"k8s.io/kubernetes": "master"},
}
FINISHED = {
    "timestamp": 1784679000,
    "passed": True,
    "result": "SUCCESS",
    "version": "v1",
    "job-version": "v1",
    "revision": "v1",
    "metadata": {"job-version": "v1", "provider": "local"},
}
CASE = '<testcase name="[sig-apps] a" classname="c" time="0.5"/>'
JUNIT = '<testsuite tests="1" failures="0" time="0.5">{}</testsuite>'
CACHE = [
    {"version": "v1", "job-version": "v1", "buildnumber": n, "passed": True, "result": "SUCCESS"}
    for n in ("20260722000000", "20260723000000")
]


@dataclass
class Tree:
    """A job with two builds, good unless a test changes it."""

    root: Path

    def __post_init__(self) -> None:
        for number in ("20260722000000", "20260723000000"):
            self.add_build(number)
        self.write("jobResultsCache.json", CACHE)
        self.write("latest-build.txt", b"20260723000000\n")

    @property
    def job(self) -> Path:
        return self.root / "logs" / JOB

    def write(self, path: str, content: object) -> None:
        target = self.job / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    def add_build(self, number: str) -> None:
        self.write(f"{number}/started.json", STARTED)
        self.write(f"{number}/finished.json", FINISHED)
        self.write(f"{number}/build-log.txt", b"log\n")
        self.write(f"{number}/artifacts/junit_01.xml", JUNIT.format(CASE).encode())
        self.write(f"{number}/artifacts/junit_runner.xml", JUNIT.format(CASE).encode())

    def started(self, **changes: object) -> None:
        self.write("20260723000000/started.json", _changed(STARTED, changes))

    def finished(self, **changes: object) -> None:
        self.write("20260723000000/finished.json", _changed(FINISHED, changes))

    def junit(self, text: str | bytes) -> None:
        self.write("20260723000000/artifacts/junit_01.xml", text.encode() if isinstance(text, str) else text)

    def remove(self, path: str) -> None:
        (self.job / path).unlink()


def _changed(document: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    merged = document | {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in merged.items() if value is not ...}


def case(text: str) -> str:
    return JUNIT.format(text)


# rule -> ways to break it; `...` takes a key away
BREAKS: dict[str, list[Callable[[Tree], object]]] = {
    "job.name": [lambda t: t.job.rename(t.job.with_name("ci-kubernetes e2e"))],
    "job.listed": [lambda t: t.job.rename(t.job.with_name("my-tests"))],
    "build.id": [lambda t: t.add_build("v1.2"), lambda t: t.add_build("02026072400000")],
    "build.width": [lambda t: t.add_build("9")],
    "object.name": [lambda t: t.write("20260723000000/artifacts/new\nline", b"")],
    "object.unreadable": [
        lambda t: t.write(os.fsdecode(b"20260723000000/artifacts/junit_\xff.xml"), b"x"),
        lambda t: t.write("20260723000000/finished.json", b'{"a": "' + b"x" * 5_000_000 + b'"}'),
    ],
    "started.missing": [lambda t: t.remove("20260723000000/started.json")],
    "started.json": [
        lambda t: t.write("20260723000000/started.json", b'{"timestamp": 1'),
        lambda t: t.write("20260723000000/started.json", [1]),
        lambda t: t.write("20260723000000/started.json", b"[" * 200_000),
    ],
    "started.timestamp": [
        lambda t: t.started(timestamp="1784678400"),
        lambda t: t.started(timestamp=1784678400.5),
        lambda t: t.started(timestamp=True),
        lambda t: t.started(timestamp=10**30),
        lambda t: t.started(timestamp=...),
    ],
    "started.version": [lambda t: t.started(version=...), lambda t: t.started(version=1), lambda t: t.started(version="")],
    "started.text": [lambda t: t.started(node=["n"]), lambda t: t.started(repo_commit=None)],
    "started.repos": [lambda t: t.started(repos={"a": {"b": "c"}}), lambda t: t.started(repos=["a"])],
    "finished.missing": [
        lambda t: (t.remove("20260722000000/finished.json"), t.write("20260722000000/started.json", STARTED | {"timestamp": NOW_S - 3600})),
    ],
    "finished.late": [
        lambda t: (t.remove("20260722000000/finished.json"), t.write("20260722000000/started.json", STARTED | {"timestamp": NOW_S - 86400})),
    ],
    "finished.json": [
        lambda t: t.write("20260723000000/finished.json", b'{"timestamp": 1784679000, "passed": tr'),
        lambda t: t.write("20260723000000/finished.json", b""),
    ],
    "finished.timestamp": [
        lambda t: t.finished(timestamp=...),
        lambda t: t.finished(timestamp="1"),
        lambda t: t.finished(timestamp=1.5),
        lambda t: t.finished(timestamp=None),
    ],
    "finished.verdict": [
        lambda t: t.finished(passed=...),
        lambda t: t.finished(result=...),
        lambda t: t.finished(passed="true"),
        lambda t: t.finished(result="OK"),
        lambda t: t.finished(result=["SUCCESS"]),
        lambda t: t.finished(passed=False),
        lambda t: t.finished(result="UNSTABLE"),
    ],
    "finished.metadata": [
        lambda t: t.finished(metadata=[{"key": "a", "value": "b"}]),
        lambda t: t.finished(metadata={"a": 1}),
        lambda t: t.finished(metadata={"a": {"b": "c"}}),
        lambda t: t.finished(metadata=None),
    ],
    "finished.text": [lambda t: t.finished(version=1), lambda t: t.finished(job_version=["v1"])],
    "cache.json": [lambda t: t.write("jobResultsCache.json", b"<html>")],
    "cache.entry": [
        lambda t: t.write("jobResultsCache.json", CACHE[:1]),
        lambda t: t.write("jobResultsCache.json", [{"result": "SUCCESS"}, *CACHE]),
        lambda t: t.write("jobResultsCache.json", [7, *CACHE]),
        lambda t: t.write("jobResultsCache.json", [{"buildnumber": "1"}, *CACHE]),
    ],
    "cache.order": [lambda t: t.write("jobResultsCache.json", CACHE[::-1])],
    "latest.text": [
        lambda t: t.write("latest-build.txt", b"latest\n"),
        lambda t: t.write("latest-build.txt", b""),
        lambda t: t.write("latest-build.txt", b"\xff" * 5000),
        lambda t: t.remove("latest-build.txt"),
    ],
    "latest.unfinished": [lambda t: t.write("latest-build.txt", b"20260724000000\n")],
    "latest.behind": [lambda t: t.write("latest-build.txt", b"20260722000000\n")],
    "junit.none": [
        lambda t: (t.remove("20260723000000/artifacts/junit_01.xml"), t.remove("20260723000000/artifacts/junit_runner.xml"))
    ],
    "junit.name": [
        lambda t: t.write("20260723000000/artifacts/junit.xml", JUNIT.format(CASE).encode()),
        lambda t: t.write("20260723000000/artifacts/a/junit_02.xml", JUNIT.format(CASE).encode()),
        lambda t: t.write("20260723000000/artifacts/junit_02.xml.bak", JUNIT.format(CASE).encode()),
    ],
    "junit.empty": [lambda t: t.junit(""), lambda t: t.junit(" \n")],
    "junit.xml": [
        lambda t: t.junit("<testsuite"),
        lambda t: t.junit(case(CASE) + "<more/>"),
        lambda t: t.junit(b"\xff\xfe\x00"),
        lambda t: t.junit('<?xml version="1.0" encoding="klingon"?>' + case(CASE)),
        lambda t: t.junit(case('<testcase name="&nbsp;" time="1"/>')),
    ],
    "junit.dtd": [
        lambda t: t.junit('<!DOCTYPE x [<!ENTITY a "b">]>' + case(CASE)),
        lambda t: t.junit('<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><testsuite>&b;</testsuite>'),
        lambda t: t.junit('<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>'),
    ],
    "junit.root": [lambda t: t.junit(f"<testsuites>{case(CASE)}</testsuites>"), lambda t: t.junit("<html/>")],
    "junit.suite-name": [lambda t: t.junit(case(CASE).replace("<testsuite ", '<testsuite name="pytest" '))],
    "junit.counts": [lambda t: t.junit(f"<testsuite>{CASE}</testsuite>")],
    "junit.properties": [lambda t: t.junit(case(f'<properties><property name="a" value="1"/></properties>{CASE}'))],
    "junit.children": [lambda t: t.junit(case(f"{CASE}<system-out>x</system-out>")), lambda t: t.junit(case(case(CASE)))],
    "junit.case-name": [lambda t: t.junit(case('<testcase time="1"/>')), lambda t: t.junit(case('<testcase name="" time="1"/>'))],
    "junit.time": [
        lambda t: t.junit(case('<testcase name="a"/>')),
        *(
            lambda t, time=time: t.junit(case(f'<testcase name="a" time="{time}"/>'))
            for time in ("", "1,000.5", "1e-05", "-1", "nan", "1s", " 1", "\u0661")
        ),
    ],
    "junit.error": [lambda t: t.junit(case('<testcase name="a" time="1"><error>x</error></testcase>'))],
    "junit.skipped": [
        lambda t: t.junit(case('<testcase name="a" time="1"><skipped>because</skipped></testcase>')),
        lambda t: t.junit(case('<testcase name="a" time="1"><skipped message="because"/></testcase>')),
    ],
    "junit.control": [
        lambda t: t.junit(case('<testcase name="a\x1b[31m" time="1"/>')),
        lambda t: t.junit(case('<testcase name="a" time="1"><failure>\x00</failure></testcase>')),
        lambda t: t.junit(case('<testcase name="a&#10;b" time="1"/>')),
    ],
    "junit.ascii": [lambda t: t.junit(case('<testcase name="gr\u00fcn" time="1"/>'))],
}  # fmt: skip
ELSEWHERE = {
    "alias.link": "test_verify_pulls.py",
    "alias.missing": "test_verify_pulls.py",
    "bucket.list": "tests/integration/upload/test_verify_gcs.py: a folder has no public",
    "bucket.read": "tests/integration/upload/test_verify_gcs.py",
    "prefix.name": "test_layout.py: a store is not told its prefix",
    "junit.size": "test_junit_file_above_the_readers_limit_is_found",
    "latest.headers": "tests/integration/upload/test_publish_gcs.py: a folder has no headers",
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "bucket")


def found(store: Store) -> list[Finding]:
    return list(verify(store, now_s=NOW_S).findings)


def at(tree: Tree, path: str = "") -> Store:
    return open_store(str(tree.root / path))


def test_tree_that_keeps_every_rule_has_no_finding(tree: Tree) -> None:
    report = verify(at(tree), now_s=NOW_S)

    assert (report.findings, report.builds, report.objects, report.has_errors) == ((), 2, 12, False)


@pytest.mark.parametrize(
    ("rule", "breaking"),
    [
        pytest.param(rule, breaking, marks=pytest.mark.rule(rule), id=f"{rule}-{number}")
        for rule, ways in BREAKS.items()
        for number, breaking in enumerate(ways)
    ],
)
def test_broken_rule_is_found_alone(tree: Tree, rule: str, breaking: Callable[[Tree], object]) -> None:
    breaking(tree)

    findings = found(at(tree))

    assert {f.rule for f in findings} == {rule}
    assert {(f.readers, f.severity) for f in findings} == {(RULES[rule].readers, RULES[rule].severity)}
    assert all(f.what.isprintable() and f.object.isprintable() for f in findings)


def test_every_rule_is_broken_by_a_test() -> None:
    assert sorted({*BREAKS, *ELSEWHERE}) == sorted(RULES)


def test_rules_name_readers_and_a_consequence() -> None:
    wrong = [name for name, rule in RULES.items() if not rule.consequence or not set(rule.readers) <= set(READERS)]

    assert wrong == []


@pytest.mark.parametrize(
    ("path", "builds"),
    [("", 2), ("logs", 2), (f"logs/{JOB}", 2), (f"logs/{JOB}/20260722000000", 1)],
    ids=["store", "prefix", "job", "build"],
)
def test_store_prefix_job_and_build_are_told_apart(tree: Tree, path: str, builds: int) -> None:
    tree.write("20260722000000/finished.json", _changed(FINISHED, {"result": "OK"}))

    report = verify(at(tree, path), now_s=NOW_S)

    assert (report.builds, [f.rule for f in report.findings]) == (builds, ["finished.verdict"])
    full = f"logs/{JOB}/20260722000000/finished.json"
    assert f"{path}/{report.findings[0].object}".strip("/") == full


def test_job_without_any_finished_build_is_a_job(tree: Tree) -> None:
    for number in ("20260722000000", "20260723000000"):
        tree.remove(f"{number}/finished.json")
    tree.remove("latest-build.txt")
    tree.remove("jobResultsCache.json")

    assert {f.rule for f in found(at(tree))} == {"finished.missing"}


@pytest.mark.parametrize("path", ["", "nothing", f"logs/{JOB}/20260722000000/artifacts"])
def test_place_without_builds_is_a_results_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "x").mkdir()

    with pytest.raises(ResultsError, match="there is no build"):
        verify(open_store(str(tmp_path / path)), now_s=NOW_S)


def test_folders_that_hold_no_builds_are_left_alone(tree: Tree) -> None:
    for path in (
        "site/index.html",
        "logs/site/assets/x.js",
        "pr-logs/other/job/1/started.json",
        "site/a/b/c/d/e.txt",
    ):
        (tree.root / path).parent.mkdir(parents=True, exist_ok=True)
        (tree.root / path).write_bytes(b"x")

    assert found(at(tree)) == []


def test_reader_sees_only_what_breaks_it(tree: Tree) -> None:
    tree.started(version=...)
    tree.junit(case('<testcase name="gr\u00fcn" time="1"/>'))
    report = verify(at(tree), now_s=NOW_S)

    assert {r: [f.rule for f in report.for_reader(r).findings] for r in ("gubernator", "test-history", "triage")} == {
        "gubernator": ["started.version"],
        "test-history": ["junit.ascii"],
        "triage": [],
    }
    assert len(report.for_reader("all").findings) == 2


@pytest.mark.rule("junit.size")
def test_junit_file_above_the_readers_limit_is_found(tree: Tree) -> None:
    path = tree.job / "20260723000000/artifacts/junit_01.xml"
    os.truncate(path, 100_000_001)  # sparse

    assert [f.rule for f in found(at(tree))] == ["junit.size"]


class Asked:
    """Passes on to a folder and counts: what is asked for, and how much at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0

    @property
    def uri(self) -> str:
        return self._store.uri

    def uri_of(self, path: str) -> str:
        return self._store.uri_of(path)

    def read(self, path: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> Stored | None:
        with self._counted(path.rsplit("/", 1)[-1]):
            return self._store.read(path, limit_bytes=limit_bytes)

    def read_into(self, path: str, target: BinaryIO, *, limit_bytes: int) -> int | None:
        raise AssertionError(f"{path} is read whole")

    def stat(self, path: str) -> ObjectStat | None:
        with self._counted("stat"):
            return self._store.stat(path)

    def list(self, prefix: str = "", *, delimiter: str = "", start_offset: str = "") -> Iterator[Entry]:
        with self._counted("list" if delimiter else "list whole"):
            yield from self._store.list(prefix, delimiter=delimiter, start_offset=start_offset)

    def put(self, put: Put, *, replaces: int = 0) -> ObjectStat:
        raise AssertionError(f"{put.path} must not be written, replacing {replaces}")

    def holds(self, put: Put) -> bool:
        raise AssertionError(f"{put.path} is nothing that was sent")

    @contextmanager
    def _counted(self, what: str) -> Iterator[None]:
        with self._lock:
            self.calls[what] += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self._lock:
                self.at_once -= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "jobs", [pytest.param(1, id="of one job"), pytest.param(500, id="of 500 jobs", marks=pytest.mark.full)]
)
def test_a_thousand_builds_are_read_once_each_and_eight_at_a_time(tmp_path: Path, jobs: int) -> None:
    tree = Tree(tmp_path / "bucket")
    for name in ("jobResultsCache.json", "20260722000000/build-log.txt", "20260723000000/build-log.txt"):
        tree.remove(name)
    number = itertools.count(20260723000001)
    while (build := next(number)) < 20260723000000 + 1000 // jobs - 1:
        shutil.copytree(tree.job / "20260722000000", tree.job / str(build), copy_function=os.link)
    tree.write("latest-build.txt", f"{build - 1}\n".encode())
    for copy in range(1, jobs):
        shutil.copytree(tree.job, tree.job.with_name(f"{JOB}-{copy}"), copy_function=os.link)
    asked = Asked(at(tree))

    report = verify(asked, now_s=NOW_S)

    assert (report.findings, report.builds) == ((), 1000)
    listed = asked.calls.pop("list")
    assert dict(asked.calls) == {
        "list whole": 1000,
        "started.json": 1000,
        "finished.json": 1000,
        "junit_01.xml": 1000,
        "junit_runner.xml": 1000,
        "latest-build.txt": jobs,
    }
    assert listed <= 4 * jobs + 10
    assert asked.most_at_once <= 8


def test_broken_rule_is_told_once_a_file_with_the_first_line_and_how_often(tree: Tree) -> None:
    tree.junit('<testsuite tests="1" failures="0" time="1">\n\n' + '<testcase name="a"/>\n' * 1000 + "</testsuite>")

    assert [f.what for f in found(at(tree))] == ["line 3: a case without time (and 999 more)"]


def test_deeply_nested_junit_neither_crashes_nor_floods(tree: Tree) -> None:
    tree.junit(case(CASE + "<a>" * 100_000 + "</a>" * 100_000))

    assert [f.rule for f in found(at(tree))] == ["junit.children"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted({*STARTED, *FINISHED, "repo-commit", "pull"})


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=12), json_values, max_size=6))
def test_wrong_types_in_any_field_are_findings_not_crashes(document: dict[str, object]) -> None:
    body = json.dumps(document).encode()

    findings = [
        *check_started("s", body),
        *check_finished("f", body),
        *check_cache("c", json.dumps([document]).encode()),
    ]

    assert {f.rule for f in findings} <= set(RULES)
    assert all(f.what.isprintable() for f in findings)


@given(st.binary(max_size=200))
def test_any_bytes_are_checked_without_a_crash(body: bytes) -> None:
    findings = [
        f for check in (check_started, check_finished, check_cache, check_latest, check_junit) for f in check("x", body)
    ]

    assert {f.rule for f in findings} <= set(RULES)


@given(st.text(alphabet="<>/=\"' &;![]testsuicasnmfl\n\x00\u00fc1,."))
def test_text_like_junit_is_checked_without_a_crash(text: str) -> None:
    assert all(f.what.isprintable() for f in check_junit("x", text.encode("utf-8", "replace")))


def test_plan_is_checked_by_the_same_rules_before_it_is_sent(tmp_path: Path) -> None:
    junit = tmp_path / "j.xml"
    junit.write_text(case('<testcase name="a"/>'))
    plan = plan_build(
        BuildRef("logs", "my-job", "1"),
        {"junit_01.xml": junit, "a/junit_02.xml": JUNIT.format(CASE).encode()},
        None,
        Finished(1, True, "FAILURE"),
    )

    assert sorted((f.rule, f.severity) for f in check_plan(plan)) == [
        ("finished.verdict", Severity.ERROR),
        ("job.listed", Severity.WARNING),
        ("junit.name", Severity.WARNING),
        ("junit.time", Severity.ERROR),
    ]


def test_good_plan_has_no_finding() -> None:
    plan = plan_build(
        BuildRef("logs", JOB, "20260722000000"),
        {"junit_01.xml": case(CASE).encode()},
        b"log",
        Finished(1, True, "SUCCESS"),
    )

    assert check_plan(plan) == ()
