"""The tables of the warehouse: their columns, and the rows that one build becomes.

A build is written once, when it is settled: it has finished, or it never will. Its rows in ``builds`` (one), ``cases`` (one
an attempt, steps among them), ``findings`` (one for each thing that was wrong) and ``objects`` (one an object) then never
change, so no query has to look for the newest of several. Builds that still run have a row in ``builds`` alone, in files
of their own that each commit writes anew; what is wrong with a bucket or a job stands there, too. ``build`` is the key
that joins the tables: the address of the build's folder. ``day`` is when it began (UTC), and names its partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dashboard_feed.builds import number_s
from dashboard_feed.places import pull_of
from upload.errors import MissingExtra
from upload.model import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from dashboard_feed.buckets import BucketSpec
    from dashboard_feed.builds import Build
    from upload.model import Case, Finding

LARGEST_INT = 2**63 - 1

# SQL's names of types: what DuckDB shows, too
_KEYS = (
    ("day", "DATE", "when the build began, UTC; the partition"),
    ("bucket", "VARCHAR", "the bucket's address in the federation file"),
    ("party", "VARCHAR", "its prefix without the colon"),
    ("job", "VARCHAR", "the job's name in the bucket"),
    ("number", "VARCHAR", "the build id"),
    ("build", "VARCHAR", "the address of the build's folder: joins the tables"),
)
TABLES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "builds": (
        *_KEYS,
        ("pull", "VARCHAR", "`ORG_REPO/NUMBER` of a pull request, `batch`, or empty"),
        ("started_s", "BIGINT", "UTC epoch, null where it is not told"),
        ("finished_s", "BIGINT", "UTC epoch, null where it is not told"),
        ("is_finished", "BOOLEAN", "finished.json is there and can be read"),
        ("passed", "BOOLEAN", "as told; null where it is not"),
        ("result", "VARCHAR", "as told, such as SUCCESS"),
        ("version", "VARCHAR", "of finished.json, else of started.json"),
        ("finished_version", "VARCHAR", "of finished.json"),
        ("commit", "VARCHAR", "what TestGrid shows as the column's commit"),
        ("repo_commit", "VARCHAR", "started.json's repo-commit, else its repo-version"),
        ("repos", "VARCHAR", "JSON text of started.json's repos, else of the metadata's"),
        ("node", "VARCHAR", "where it ran"),
        ("metadata", "MAP(VARCHAR, VARCHAR)", "of finished.json, else of started.json"),
        ("tests", "BIGINT", "attempts that were no skips, steps left out"),
        ("failed", "BIGINT", "of these, the failed ones"),
        ("objects", "BIGINT", "how many objects it has"),
        ("bytes", "BIGINT", "their sizes as stored, together"),
        ("log_tail", "VARCHAR", "the last lines of the log of a build that did not pass"),
        ("read_s", "BIGINT", "when it was read, UTC epoch"),
    ),
    "cases": (
        *_KEYS,
        ("position", "INTEGER", "counts the attempts of the build from 0, in the order of its files"),
        ("name", "VARCHAR", "the name as readers show it"),
        ("status", "VARCHAR", "`passed`, `failed` or `skipped`"),
        ("seconds", "DOUBLE", "how long it took"),
        ("text", "VARCHAR", "the failure's text or the skip's reason"),
        ("classname", "VARCHAR", "as written"),
        ("suite", "VARCHAR", "the names of the suites around it"),
        ("source", "VARCHAR", "the file, relative to the build"),
        ("is_step", "BOOLEAN", "a step of the build's life, no test"),
        (
            "is_nested",
            "BOOLEAN",
            "the file's root is `<testsuites>`: kettle and TestGrid put the suite before the name",
        ),
    ),
    "findings": (
        *_KEYS,
        ("rule", "VARCHAR", "the id of the rule"),
        ("object", "VARCHAR", "where, relative to the bucket"),
        ("what", "VARCHAR", "what is wrong"),
        ("severity", "VARCHAR", "`error` or `warning`"),
        ("readers", "VARCHAR[]", "whom it breaks"),
        ("read_s", "BIGINT", "when it was seen, UTC epoch"),
    ),
    "objects": (
        *_KEYS,
        ("path", "VARCHAR", "relative to the build"),
        ("size_bytes", "BIGINT", "as stored"),
    ),
}
CURRENT_TABLES = ("builds", "findings")
_REPEATED = {"bucket", "party", "job", "number", "build", "classname", "suite", "source", "status", "rule", "severity"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a build was found. ``folder`` is relative to the bucket; ``read_s``: UTC epoch."""

    spec: BucketSpec
    job: str
    number: str
    folder: str
    read_s: int

    @property
    def address(self) -> str:
        """The address of the build's folder, without a slash."""
        return f"{self.spec.uri}{self.folder}".rstrip("/")


@dataclass(frozen=True, slots=True)
class BuildRows:
    """The rows of one build, by table. ``size_bytes``: in memory."""

    day: str
    batches: dict[str, pa.RecordBatch]
    size_bytes: int


def require_arrow() -> None:
    """Raise MissingExtra when the warehouse's libraries are not installed."""
    if not all(find_spec(name) for name in ("duckdb", "pyarrow")):
        raise MissingExtra("the warehouse", "feed")


def schema(table: str, *, repeated: bool = False) -> pa.Schema:
    """Return the columns of a table. ``repeated``: as kept in memory, each of many equal texts once."""
    import pyarrow as pa

    types = {
        "DATE": pa.date32(),
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "INTEGER": pa.int32(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "VARCHAR[]": pa.list_(pa.string()),
        "MAP(VARCHAR, VARCHAR)": pa.map_(pa.string(), pa.string()),
    }
    many = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [(name, many if repeated and name in _REPEATED else types[kind]) for name, kind, _ in TABLES[table]]
    )


def rows_of(build: Build, origin: Origin) -> BuildRows:
    """Return the rows of a settled build."""
    keys = _keys(build, origin)
    cases = [(case, False, case.source in build.nested) for case in build.cases]
    cases += [(step, True, step.source in build.nested) for step in build.steps]
    batches = {
        "builds": batch("builds", [build_row(build, origin)]),
        "cases": batch("cases", [_case_row(keys, i, *case) for i, case in enumerate(cases)]),
        "findings": batch("findings", [finding_row(keys, finding, origin.read_s) for finding in build.findings]),
        "objects": batch("objects", [(*keys, a.path, min(a.size_bytes, LARGEST_INT)) for a in build.artifacts]),
    }
    filled = {table: rows for table, rows in batches.items() if rows.num_rows}
    return BuildRows(keys[0].isoformat(), filled, sum(rows.nbytes for rows in filled.values()))


def build_row(build: Build, origin: Origin) -> tuple[Any, ...]:
    """Return the row of a build in ``builds``."""
    ran = [case for case in build.cases if case.status is not Status.SKIPPED]
    return (
        *_keys(build, origin),
        pull_of(origin.folder),
        build.started_s,
        build.finished_s,
        build.is_finished,
        build.passed,
        build.result,
        build.version,
        build.finished_version,
        build.commit,
        build.repo_commit,
        build.repos,
        build.node,
        list(build.metadata),
        len(ran),
        sum(case.status is Status.FAILED for case in ran),
        len(build.artifacts),
        min(sum(artifact.size_bytes for artifact in build.artifacts), LARGEST_INT),
        build.log_tail,
        origin.read_s,
    )


def place_keys(spec: BucketSpec, job: str, read_s: int) -> tuple[Any, ...]:
    """Return the keys of a finding about a bucket (``job`` is empty) or a job."""
    return (day_of(read_s), spec.uri, spec.party, job, "", "")


def finding_row(keys: tuple[Any, ...], finding: Finding, read_s: int) -> tuple[Any, ...]:
    """Return the row of a finding."""
    severity = finding.severity.value
    return (*keys, finding.rule, finding.object, finding.what, severity, list(finding.readers), read_s)


def batch(table: str, rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    """Return rows as columns. Text that is no UTF-8 is made so: JSON may hold half of a surrogate pair."""
    import pyarrow as pa

    fields = schema(table, repeated=True)
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    try:
        arrays = [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)]
    except UnicodeEncodeError:
        cleaned = [[_clean(value) for value in column] for column in columns]
        arrays = [pa.array(column, field.type) for column, field in zip(cleaned, fields, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=fields)


def day_of(seconds: int) -> date:
    """Return the day (UTC) of a moment."""
    return datetime.fromtimestamp(seconds, UTC).date()


def _keys(build: Build, origin: Origin) -> tuple[Any, ...]:
    told = build.at_s if build.at_s is not None else number_s(build.number)
    day = day_of(origin.read_s if told is None else min(told, origin.read_s))  # a clock that is ahead makes no future
    return (day, origin.spec.uri, origin.spec.party, origin.job, origin.number, origin.address)


def _case_row(keys: tuple[Any, ...], position: int, case: Case, *kinds: bool) -> tuple[Any, ...]:
    told = (case.name, case.status.value, case.seconds, case.text, case.classname, case.suite, case.source)
    return (*keys, position, *told, *kinds)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return tuple(_clean(item) for item in value) if isinstance(value, tuple) else value
