from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard_feed.builds import Artifact, Build
from dashboard_feed.read import Limits, read_build
from upload.model import Case, Finding, Severity, Status
from upload.store import Entry, Store, open_store

STARTED = {"timestamp": 100, "node": "h", "version": "v1.36.3"}
FINISHED = {"timestamp": 200, "passed": False, "result": "FAILURE", "version": "v1.36.3", "metadata": {"a": "b"}}
JUNIT = b'<testsuite><testcase name="t" classname="c" time="1.5"><failure>why</failure></testcase></testsuite>'
RUNNER = b'<testsuite><testcase name="Up" classname="e2e" time="2"/></testsuite>'


def write(root: Path, objects: dict[str, bytes], number: str = "1") -> Store:
    for name, content in objects.items():
        path = root / "job" / number / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return open_store(str(root))


def documents() -> dict[str, bytes]:
    return {"started.json": json.dumps(STARTED).encode(), "finished.json": json.dumps(FINISHED).encode()}


def test_a_whole_build_becomes_one_value(tmp_path: Path) -> None:
    log = b"".join(b"line %d\n" % n for n in range(100))
    store = write(
        tmp_path,
        {
            **documents(),
            "build-log.txt": log,
            "artifacts/junit_01.xml": JUNIT,
            "artifacts/junit_runner.xml": RUNNER,
            "artifacts/original/junit_01.xml.orig": b"<other/>",
        },
    )

    assert read_build(store, "job", "1") == Build(
        job="job",
        number="1",
        started_s=100,
        finished_s=200,
        is_finished=True,
        passed=False,
        result="FAILURE",
        version="v1.36.3",
        finished_version="v1.36.3",
        node="h",
        metadata=(("a", "b"),),
        cases=(Case("t", Status.FAILED, 1.5, classname="c", text="why", source="artifacts/junit_01.xml"),),
        steps=(Case("Up", Status.PASSED, 2.0, classname="e2e", source="artifacts/junit_runner.xml"),),
        artifacts=(
            Artifact("artifacts/junit_01.xml", len(JUNIT)),
            Artifact("artifacts/junit_runner.xml", len(RUNNER)),
            Artifact("artifacts/original/junit_01.xml.orig", 8),
            Artifact("build-log.txt", len(log)),
            Artifact("finished.json", len(documents()["finished.json"])),
            Artifact("started.json", len(documents()["started.json"])),
        ),
        log_tail="\n".join(f"line {n}" for n in range(40, 100)),
    )


def test_a_log_is_shown_only_where_something_went_wrong(tmp_path: Path) -> None:
    good = json.dumps({**FINISHED, "passed": True, "result": "SUCCESS"}).encode()
    store = write(tmp_path, {**documents(), "finished.json": good, "build-log.txt": b"fine\n"})

    assert read_build(store, "job", "1").log_tail == ""


def test_objects_beyond_a_limit_are_findings(tmp_path: Path) -> None:
    limits = Limits(document_bytes=50, junit_bytes=50, objects=3)
    store = write(tmp_path, {**documents(), "artifacts/a": b"", "artifacts/junit_01.xml": JUNIT, "artifacts/z": b""})
    found = read_build(store, "job", "1", limits)

    assert (found.is_finished, found.cases, len(found.artifacts)) == (False, (), 3)
    assert [(finding.rule, finding.object) for finding in found.findings if finding.rule != "started.missing"] == [
        ("finished.json", "job/1/finished.json"),
        ("build.objects", "job/1/"),
        ("object.unreadable", "job/1/started.json"),
        ("object.unreadable", "job/1/finished.json"),
        ("object.unreadable", "job/1/artifacts/junit_01.xml"),
    ]


def test_cases_beyond_the_limit_are_counted_out(tmp_path: Path) -> None:
    many = b"".join(b'<testcase name="t%d" time="1"/>' % n for n in range(9))
    store = write(tmp_path, {**documents(), "artifacts/junit_01.xml": b"<testsuite>%s</testsuite>" % many})
    found = read_build(store, "job", "1", Limits(cases=3))

    assert [case.name for case in found.cases] == ["t0", "t1", "t2"]
    assert [finding.rule for finding in found.findings] == ["junit.cases"]


def test_long_texts_lose_their_middle(tmp_path: Path) -> None:
    text = b"head" + b"x" * 200_000 + b"tail"
    junit = b'<testsuite><testcase name="t" time="1"><failure>%s</failure></testcase></testsuite>' % text
    (case,) = read_build(write(tmp_path, {**documents(), "artifacts/junit_01.xml": junit}), "job", "1").cases

    assert (case.text[:4], case.text[-4:], len(case.text)) == ("head", "tail", 40_003)


class Broken:
    """A store that answers with something that nobody thought of."""

    def list(self, prefix: str = "", *, delimiter: str = "", start_offset: str = "") -> Iterator[Entry]:
        raise ZeroDivisionError("the listing divides by zero")


def test_whatever_goes_wrong_is_a_finding_of_the_build() -> None:
    found = read_build(Broken(), "job", "1")  # type: ignore[arg-type]  # no whole store, by intent

    assert found == Build(
        "job",
        "1",
        findings=(
            Finding(
                "build.unreadable",
                "job/1/",
                "ZeroDivisionError: the listing divides by zero",
                severity=Severity.ERROR,
            ),
        ),
    )


@pytest.mark.parametrize(
    ("report", "rules"),
    [
        pytest.param(gzip.compress(b"<testsuite>" + b" " * 10_000), ["report.truncated", "junit.size"], id="bomb"),
        pytest.param(gzip.compress(JUNIT)[:30], ["object.unreadable"], id="cut"),
        pytest.param(gzip.compress(JUNIT), [], id="sound"),
    ],
)
def test_a_report_that_somebody_compressed_is_read_as_far_as_is_allowed(
    report: bytes, rules: list[str], tmp_path: Path
) -> None:
    store = write(tmp_path, {**documents(), "artifacts/junit_01.xml": report})
    build = read_build(store, "job", "1", Limits(junit_bytes=1_000))

    assert [finding.rule for finding in build.findings] == rules
    assert [case.name for case in build.cases] == ([] if rules else ["t"])


def test_texts_are_cut_once_a_build_has_used_up_its_share(tmp_path: Path) -> None:
    text = "x" * 3_000
    cases = "".join(f'<testcase name="{n}"><failure>{text}</failure></testcase>' for n in range(4))
    store = write(tmp_path, {**documents(), "artifacts/junit_01.xml": f"<testsuite>{cases}</testsuite>".encode()})
    build = read_build(store, "job", "1", Limits(text_chars=5_000))

    assert [len(case.text) for case in build.cases] == [3_000, 3_000, 1_003, 1_003]
