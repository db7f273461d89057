"""An answer to SQL as text or as a Parquet file. Rows come a part at a time, so that a large one fits."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from dashboard_feed.text import one_line
from dashboard_feed.warehouse.query import errors_named, opened
from upload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

    from upload.store import Store

    Rows = Iterator[Sequence[Any]]

T = TypeVar("T")
PART_ROWS = 2_000
WIDEST = 60


def as_table(names: Sequence[str], rows: Rows) -> Iterator[bytes]:
    """Yield aligned columns and the number of rows. Long texts are cut, and nothing reaches a terminal but letters."""
    shown = [[_cell(value) for value in row] for row in rows]
    heads = [one_line(name, WIDEST) for name in names]
    widths = [max([len(head), *(len(row[i]) for row in shown)]) for i, head in enumerate(heads)]
    numeric = [bool(shown) and all(_is_number(row[i]) for row in shown) for i in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *shown]
    for line in lines:
        cells = [c.rjust(w) if right else c.ljust(w) for c, w, right in zip(line, widths, numeric, strict=True)]
        yield f"{'  '.join(cells).rstrip()}\n".encode()
    yield f"{len(shown):,} {'row' if len(shown) == 1 else 'rows'}\n".encode()


def as_csv(names: Sequence[str], rows: Rows) -> Iterator[bytes]:
    """Yield CSV with a first line of names. Maps and lists are JSON in it; null is empty."""
    yield _csv_line(names)
    for row in rows:
        yield _csv_line([_flat(value) for value in row])


def as_json(names: Sequence[str], rows: Rows) -> Iterator[bytes]:
    """Yield one JSON array of objects, one a line."""
    yield b"["
    for number, row in enumerate(rows):
        item = json.dumps(dict(zip(names, row, strict=True)), default=_plain, ensure_ascii=False)
        yield (",\n" if number else "\n").encode() + item.encode("utf-8", "replace")
    yield b"\n]\n"


FORMATS: dict[str, Callable[[Sequence[str], Rows], Iterator[bytes]]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
}


def answer_into(target: BinaryIO, form: str, store: Store, sql: str, **what: Any) -> None:
    """Write the answer to a question about the warehouse in ``store``.

    ``form``: ``table``, ``csv``, ``json`` or ``parquet``; ``what``: as for ``opened``. Raises: UsageError when it is no
    question that can be answered; ResultsError when there is no warehouse.
    """
    with opened(store, sql=sql, **what) as connection, errors_named():
        if form == "parquet":
            _write_parquet(_answered(connection.sql(sql)), target)
            return
        answer = _answered(connection.execute(sql))
        target.writelines(FORMATS[form]([column[0] for column in answer.description or ()], _rows_of(answer)))


def _answered(answer: T | None) -> T:
    if answer is None:  # nothing but white space and comments
        raise UsageError("SQL: nothing is asked")
    return answer


def _rows_of(answer: duckdb.DuckDBPyConnection) -> Rows:
    """Yield the rows of an answer."""
    while part := answer.fetchmany(PART_ROWS):
        yield from part


def _write_parquet(answer: duckdb.DuckDBPyRelation, target: BinaryIO) -> None:
    """Write an answer as one Parquet file."""
    import pyarrow.parquet as pq

    reader: Any = answer.to_arrow_reader(PART_ROWS)
    with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


def _cell(value: Any) -> str:
    return one_line(str(_flat(value)), WIDEST) if value is not None else ""


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(".", "", 1).replace("-", "", 1).isdigit()


def _csv_line(values: Sequence[Any]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerow(values)
    return stream.getvalue().encode("utf-8", "replace")


def _flat(value: Any) -> Any:
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _plain(value: Any) -> Any:
    """Return what JSON has no word for as one that it has."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)
