from __future__ import annotations

import json
import sys
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dashboard_feed.warehouse.answer import FORMATS, answer_into
from dashboard_feed.warehouse.lease import held
from dashboard_feed.warehouse.writer import Writer
from upload.errors import MissingExtra, ResultsError, UsageError
from upload.store import ClearableStore, Store, open_store

NAMES = ("a", "n")
ROWS = [("x\x1b[31m\ny", 1), (None, 20), ({"k": [date(2026, 11, 23), Decimal("1.5")]}, 3)]


def text(form: str) -> str:
    return b"".join(FORMATS[form](NAMES, iter(ROWS))).decode()


def test_a_table_is_aligned_and_harmless() -> None:
    cells = [("a", " n"), ("-" * 26, "--"), ("x\ufffd[31m y", " 1"), ("", "20"), ('{"k": ["2026-11-23", 1.5]}', " 3")]

    assert text("table") == "".join(f"{left.ljust(26)}  {right}\n" for left, right in cells) + "3 rows\n"


def test_csv_and_json_keep_what_is_there() -> None:
    assert text("csv") == 'a,n\r\n"x\x1b[31m\ny",1\r\n,20\r\n"{""k"": [""2026-11-23"", 1.5]}",3\r\n'
    assert json.loads(text("json")) == [
        {"a": "x\x1b[31m\ny", "n": 1},
        {"a": None, "n": 20},
        {"a": {"k": ["2026-11-23", 1.5]}, "n": 3},
    ]


@pytest.fixture
def warehouse(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "it's here"))
    assert isinstance(store, ClearableStore)
    with held(store, "me") as lease:
        Writer(store, lease).commit({}, 0)
    return store


def test_parquet_reads_back(warehouse: Store, tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        answer_into(file, "parquet", warehouse, "SELECT 1 AS one, MAP {'k': 'v'} AS m")

    assert pq.read_table(tmp_path / "f").to_pylist() == [{"one": 1, "m": [("k", "v")]}]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        pytest.param("", "SQL: nothing is asked", id="nothing"),
        pytest.param("SELEC 1", "SQL: Parser Error", id="no SQL"),
        pytest.param("SELECT * FROM nope", "SQL: Catalog Error", id="no table"),
        pytest.param("SELECT * FROM read_csv('/etc/hostname')", "Permission Error", id="another file"),
        pytest.param("COPY (SELECT 1) TO 'x.csv'", "Permission Error", id="writing"),
        pytest.param("INSTALL httpfs", "SQL: ", id="an extension"),
        pytest.param("SET enable_external_access = true", "SQL: ", id="opening it again"),
    ],
)
@pytest.mark.parametrize("form", ["table", "parquet"])
def test_what_cannot_be_answered_is_told(sql: str, told: str, form: str, warehouse: Store) -> None:
    with pytest.raises(UsageError) as error:
        answer_into(BytesIO(), form, warehouse, sql)

    assert told in str(error.value)


def test_a_day_that_is_none_and_a_warehouse_that_is_none(warehouse: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'yesterday' is no day"):
        answer_into(BytesIO(), "table", warehouse, "SELECT 1", since="yesterday")
    with pytest.raises(ResultsError, match="there is no warehouse"):
        answer_into(BytesIO(), "table", open_store(str(tmp_path / "x")), "SELECT 1")


def test_what_has_to_be_installed_is_told(warehouse: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra) as error:
        answer_into(BytesIO(), "table", warehouse, "SELECT 1")

    told = (str(error.value), error.value.hint)
    assert told == ("the warehouse needs the extra [feed]", "pip install 'federated-e2e[feed]'")
