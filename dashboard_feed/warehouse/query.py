"""SQL over a warehouse: DuckDB reads its files through views that stay the same whatever the files become."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from dashboard_feed.warehouse.files import fetch
from dashboard_feed.warehouse.manifest import read_manifest
from dashboard_feed.warehouse.tables import CURRENT_TABLES, TABLES, require_arrow
from upload.errors import ResultsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from dashboard_feed.warehouse.manifest import Manifest
    from upload.store import Store

# view -> its SQL, and what it gives; each uses only what stands before it
VIEWS: dict[str, tuple[str, str]] = {
    "results": (
        """
        SELECT day, bucket, party, job, number, build, name, is_step,
               count(*) FILTER (status = 'passed') AS passes,
               count(*) FILTER (status <> 'skipped') AS runs,
               CASE WHEN runs = 0 THEN 'skipped' WHEN passes = 0 THEN 'failed'
                    WHEN passes < runs THEN 'flaky' ELSE 'passed' END AS mark,
               sum(seconds) AS seconds,
               arg_min(text, position) FILTER (status = 'failed') AS text
        FROM cases GROUP BY day, bucket, party, job, number, build, name, is_step
        """,
        "one row for each test of each build: all attempts of one name as one, `mark` is `passed`, `failed`, `flaky` or `skipped`",
    ),
    "failures": (
        """
        SELECT c.*, b.started_s, b.version, b."commit"
        FROM cases c JOIN builds b USING (build) WHERE c.status = 'failed'
        """,
        "one row for each failed attempt, with the start, version and commit of its build",
    ),
}
NEEDS = {"results": ("cases",), "failures": ("cases", "builds")}


@contextmanager
def opened(
    store: Store, *, cache: Path | None = None, sql: str = "", since: str = ""
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection on which every table and view of a warehouse can be asked.

    ``cache``: a folder for files that come from a bucket, which never change under one name; without it they are fetched
    into one that is removed. ``sql``: only tables whose name stands in it are fetched. ``since``: a day; older ones are
    left out. Nothing else can be reached: no other file, no network.
    Raises: ResultsError when there is no warehouse.
    """
    require_arrow()
    import duckdb

    if since and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", since):
        raise UsageError(f"{since!r} is no day", hint="give one as 2026-11-23")
    manifest, generation = read_manifest(store)
    if not generation:
        raise ResultsError(f"{store.uri}: there is no warehouse", hint=f"e2e feed collect buckets.yaml {store.uri}")
    with TemporaryDirectory() as temporary:
        folder = cache or Path(temporary)
        root = Path(unquote(urlsplit(store.uri).path)) if store.uri.startswith("file://") else None
        connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
        try:
            for table in TABLES:
                paths = _wanted(manifest, table, sql, since)
                files = [root / path if root else _local(store, path, folder) for path in paths]
                connection.execute(_view(table, [file for file in files if file.exists()]))
            for view, (text, _) in VIEWS.items():
                connection.execute(f"CREATE VIEW {view} AS {text}")
            allowed = ", ".join(_quoted(str(place)) for place in (root or folder, temporary))
            connection.execute(f"SET allowed_directories = [{allowed}]")
            connection.execute("SET enable_external_access = false")
            yield connection
        finally:
            connection.close()


@contextmanager
def errors_named() -> Iterator[None]:
    """Raise what DuckDB says in our words: UsageError for a question that cannot be answered."""
    import duckdb

    try:
        yield
    except duckdb.IOException as error:
        hint = "ask again: a collector may have replaced it"
        raise ResultsError(f"a file of the warehouse cannot be read: {error}", hint=hint) from error
    except duckdb.Error as error:
        raise UsageError(f"SQL: {error}", hint="the tables stand in docs/reference/warehouse.md") from error


def _wanted(manifest: Manifest, table: str, sql: str, since: str) -> list[str]:
    users = {table, *(view for view, tables in NEEDS.items() if table in tables)}
    if sql and not any(re.search(rf"\b{user}\b", sql, re.IGNORECASE) for user in users):
        return []
    current = manifest.current_path(table) if table in CURRENT_TABLES else ""
    return [*manifest.paths(table, since=since), *([current] if current else [])]


def _local(store: Store, path: str, folder: Path) -> Path:
    """Return a file of a bucket as one of this machine. One that holds no rows was never written."""
    file = folder / path
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        if path.startswith("current/") and store.stat(path) is None:
            return file
        part = file.with_suffix(".part")
        fetch(store, path, part)
        part.replace(file)
    return file


def _view(table: str, files: list[Path]) -> str:
    columns = TABLES[table]
    if not files:
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind, _ in columns)
        return f"CREATE VIEW {table} AS SELECT {nothing} WHERE false"
    names = ", ".join(f'"{name}"' for name, _, _ in columns)
    listed = ", ".join(_quoted(str(file)) for file in files)
    return f"CREATE VIEW {table} AS SELECT {names} FROM read_parquet([{listed}], hive_partitioning = false)"  # noqa: S608  # names of ours


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
