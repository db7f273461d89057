"""Kettle's rows: one JSON object a build, as BigQuery loads them, and the schema of their table.

Source: consumers.md section 5; kubernetes/test-infra kettle/make_json.py. A key without a value is left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from upload.store import Store

UNKNOWN_SUITE = "unknown"
LARGEST_INT = 2**63 - 1
DIRECT_CHILDREN = r"artifacts/junit[^/]*\.xml"  # the reports that kettle reads

_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("path", "STRING", "Where the build lies."),
    ("job", "STRING", "The bucket's prefix and the job."),
    ("number", "INTEGER", "The build id."),
    ("started", "TIMESTAMP", "When it began."),
    ("finished", "TIMESTAMP", "When it ended."),
    ("elapsed", "FLOAT", "Seconds between the two."),
    ("passed", "BOOLEAN", "Whether it succeeded."),
    ("result", "STRING", "SUCCESS, FAILURE, UNSTABLE or ABORTED."),
    ("version", "STRING", "The version that was tested."),
    ("executor", "STRING", "The machine that ran it."),
    ("repo_commit", "STRING", "The commit of the repository."),
    ("repos", "STRING", "JSON text: repository to branch or commits."),
    ("tests_run", "INTEGER", "How many tests there are."),
    ("tests_failed", "INTEGER", "How many of them failed."),
)
_RECORDS: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("metadata", "What else the build tells.", (("key", "STRING", ""), ("value", "STRING", ""))),
    (
        "test",
        "The tests of all reports, without skipped ones.",
        (
            ("name", "STRING", ""),
            ("time", "FLOAT", "Seconds."),
            ("failed", "BOOLEAN", "Whether it failed."),
            ("failure_text", "STRING", "Why."),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class CaseRun:
    """One attempt that was no skip. ``is_nested``: its file's root is ``<testsuites>``, so its suite stands in its name."""

    name: str
    seconds: float
    failure: str | None = None
    suite: str = ""
    is_nested: bool = False


@dataclass(frozen=True, slots=True)
class KettleBuild:
    """What a row is made of; texts are empty and numbers None where the build does not tell them."""

    path: str
    job: str
    number: str
    started_s: int | None = None
    finished_s: int | None = None
    passed: bool | None = None
    result: str = ""
    version: str = ""
    node: str = ""
    repo_commit: str = ""
    repos: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[CaseRun, ...] = ()


def kettle_row(build: KettleBuild) -> dict[str, Any]:
    """Return the row of a finished build."""
    tests = [_test(run) for run in build.tests]
    tests = [test for test in tests if "#" not in test["name"] or "failed" in test]
    passed = build.result == "SUCCESS" if build.result else build.passed
    told = "" if build.passed is None else "SUCCESS" if build.passed else "FAILURE"
    row: dict[str, Any] = {
        "path": build.path,
        "job": build.job,
        "number": int(build.number) if int(build.number) <= LARGEST_INT else None,
        "started": build.started_s,
        "finished": build.finished_s,
        "elapsed": build.finished_s - build.started_s if build.started_s and build.finished_s else None,
        "passed": passed,
        "result": build.result or told or None,
        "version": build.version or None,
        "executor": build.node or None,
        "repo_commit": build.repo_commit or None,
        "repos": build.repos or None,
        "metadata": _metadata(build) or None,
        "test": tests,
        "tests_run": len(tests),
        "tests_failed": sum("failed" in test for test in tests),
    }
    return {key: value for key, value in row.items() if value is not None}


def render_schema() -> bytes:
    """Return the schema of the table, as ``bq load`` takes it."""
    records = [
        {**_column(name, "RECORD", what, "REPEATED"), "fields": [_column(*column) for column in columns]}
        for name, what, columns in _RECORDS
    ]
    return (json.dumps([*(_column(*column) for column in _COLUMNS), *records], indent=2) + "\n").encode()


def warehouse_rows(store: Store, *, since: str = "") -> Iterator[bytes]:
    """Yield a line for each finished build in a warehouse, oldest day first. ``since``: a day; older ones are left out.

    Raises: ResultsError when there is no warehouse.
    """
    from dashboard_feed.warehouse.query import errors_named, opened

    with opened(store, since=since) as connection, errors_named():
        for (day,) in connection.execute("SELECT DISTINCT day FROM builds ORDER BY day").fetchall():
            answer = connection.execute(_DAY, {"day": day, "files": DIRECT_CHILDREN})
            while part := answer.fetchmany(100):
                for row in part:
                    yield json.dumps(kettle_row(_build(row)), sort_keys=True).encode() + b"\n"


_DAY = """
WITH runs AS (
    SELECT build, list({name: name, seconds: seconds, failure: CASE status WHEN 'failed' THEN text END,
                        suite: suite, is_nested: is_nested} ORDER BY position) AS attempts
    FROM cases WHERE day = $day AND status <> 'skipped' AND regexp_full_match(source, $files) GROUP BY build
)
SELECT build, party || ':' || job, number, started_s, finished_s, passed, result, finished_version, node, repo_commit,
       repos, metadata, attempts
FROM builds LEFT JOIN runs USING (build) WHERE day = $day AND is_finished ORDER BY started_s, build
"""


def _build(row: tuple[Any, ...]) -> KettleBuild:
    facts = dict(zip((one.name for one in fields(KettleBuild)), row, strict=True))
    tests = tuple(CaseRun(**run) for run in facts["tests"] or ())
    return KettleBuild(**{**facts, "metadata": facts["metadata"] or {}, "tests": tests})


def _test(run: CaseRun) -> dict[str, Any]:
    suite = run.suite.rpartition(" / ")[2] or UNKNOWN_SUITE
    test: dict[str, Any] = {"name": f"{suite} {run.name}" if run.is_nested else run.name, "time": run.seconds}
    return test if run.failure is None else {**test, "failed": True, "failure_text": run.failure}


def _metadata(build: KettleBuild) -> list[dict[str, str]]:
    dropped = {("repo", ""), ("job-version", build.version or "N/A"), ("version", build.version or "N/A")}
    return [{"key": key, "value": value} for key, value in sorted(_kept(build.metadata, dropped))]


def _kept(metadata: Mapping[str, str], dropped: set[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return (pair for pair in metadata.items() if pair not in dropped)


def _column(name: str, kind: str, what: str, mode: str = "NULLABLE") -> dict[str, str]:
    column = {"name": name, "type": kind, "mode": mode}
    return {**column, "description": what} if what else column
