"""Parquet files on their way between the memory and a store, flat in memory, whatever their size."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dashboard_feed.warehouse.tables import schema
from upload.errors import ResultsError
from upload.model import Put

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from upload.store import Store

TYPE = "application/vnd.apache.parquet"
LARGEST_FILE_BYTES = 16 << 30
GROUP_ROWS = 100_000


def write_rows(store: Store, path: str, table: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Write rows as one new object and return how many there were; none are no object."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, fields = 0, schema(table)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        with pq.ParquetWriter(file, fields, compression="zstd", store_schema=False) as writer:
            for several in _grouped(batches):
                group = pa.Table.from_batches(several).cast(fields)
                writer.write_table(group, row_group_size=GROUP_ROWS)
                rows += group.num_rows
        if rows:
            store.put(Put(path, file, TYPE))
    return rows


def read_rows(store: Store, paths: Sequence[str], table: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files, a part at a time. Raises ResultsError when one is gone or is no such file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = schema(table)
    for path in paths:
        with fetched(store, path) as file:
            try:
                for batch in pq.ParquetFile(file).iter_batches(GROUP_ROWS):
                    yield batch.cast(fields)
            except (pa.ArrowException, OSError) as error:
                raise ResultsError(f"{store.uri_of(path)}: no rows of {table} that can be read: {error}") from error


@contextmanager
def fetched(store: Store, path: str) -> Iterator[Path]:
    """Give an object as a file that is there for as long as it is used."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        fetch(store, path, file)
        yield file


def fetch(store: Store, path: str, file: Path) -> None:
    """Write an object into a new file. Raises ResultsError when the warehouse has lost it."""
    with file.open("w+b") as target:
        found = store.read_into(path, target, limit_bytes=LARGEST_FILE_BYTES)
    if found is None:
        raise ResultsError(f"{store.uri_of(path)}: the warehouse names it, but it is gone")


def _grouped(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Yield batches together that make about one group of rows."""
    several: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        several.append(batch)
        rows += batch.num_rows
        if rows >= GROUP_ROWS:
            yield several
            several, rows = [], 0
    if several:
        yield several
