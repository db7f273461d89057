from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_feed.warehouse.manifest import (
    MANIFEST,
    Again,
    BucketState,
    Manifest,
    PlaceState,
    parse_manifest,
    read_manifest,
    render_manifest,
)
from upload.errors import ResultsError
from upload.store import open_store

names = st.text(max_size=8)
counts = st.integers(0, 10**12)
places = st.builds(
    PlaceState, names, counts, counts, st.dictionaries(names, st.builds(Again, counts, counts), max_size=2)
)
buckets = st.builds(BucketState, st.dictionaries(names, places, max_size=2), counts, counts, names)
file_names = st.from_regex(r"[0-9]{8}-[0-9a-f]{8}", fullmatch=True)
days = st.dates().map(lambda day: day.isoformat())
tables = st.dictionaries(names, counts, max_size=2)
files = st.dictionaries(days, st.dictionaries(file_names, tables, max_size=2), max_size=2)
manifests = st.builds(
    Manifest,
    counts,
    counts,
    files,
    st.just("") | file_names,
    st.dictionaries(names, buckets, max_size=2),
    st.dictionaries(names, counts, max_size=2),
    counts,
)


@given(manifests)
def test_a_manifest_reads_back(manifest: Manifest) -> None:
    assert parse_manifest(render_manifest(manifest)) == manifest


def test_files_come_by_day_and_only_those_with_rows() -> None:
    files = {"2026-11-02": {"b": {"builds": 1}}, "2026-11-01": {"a": {"builds": 2, "cases": 3}, "c": {"builds": 4}}}
    manifest = Manifest(files=files, current="z", dropped={"old": 1})

    assert list(manifest.paths("cases")) == ["cases/day=2026-11-01/a.parquet"]
    assert list(manifest.paths("builds", since="2026-11-02")) == ["builds/day=2026-11-02/b.parquet"]
    assert (manifest.rows("builds"), manifest.rows("objects")) == (7, 0)
    assert {"old", "current/builds/z.parquet", "builds/day=2026-11-01/c.parquet"} < manifest.named()


def test_where_nothing_is_there_is_an_empty_one(tmp_path: Path) -> None:
    assert read_manifest(open_store(str(tmp_path))) == (Manifest(), 0)


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(Manifest(files={"2026-11-01": {"../../x": {"builds": 1}}}), id="file"),
        pytest.param(Manifest(files={"../x": {"00000001-0123abcd": {"builds": 1}}}), id="day"),
        pytest.param(Manifest(current="/x"), id="current"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ValueError, match="a file's name that is none of ours"):
        parse_manifest(render_manifest(manifest))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "buckets": [], "x": 1}', "\ufffd"])
def test_what_is_no_manifest_is_told_with_its_place(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ResultsError, match=r"warehouse\.json: no warehouse's manifest that can be read"):
        read_manifest(open_store(str(tmp_path)))
