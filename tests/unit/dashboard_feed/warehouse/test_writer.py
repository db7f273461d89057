from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Artifact, Build
from dashboard_feed.warehouse.lease import held
from dashboard_feed.warehouse.manifest import MANIFEST, BucketState, PlaceState, read_manifest
from dashboard_feed.warehouse.query import opened
from dashboard_feed.warehouse.tables import TABLES, Origin, build_row, finding_row, place_keys, rows_of
from dashboard_feed.warehouse.writer import MOST_FILES_A_DAY, REMOVED_AFTER_S, SWEPT_EVERY_S, Writer
from upload.errors import ResultsError
from upload.model import Case, Finding, Status
from upload.store import ClearableStore, open_store

NOW_S = 1_795_367_000  # 2026-11-22 17:03:20
DAY_S = 86_400
SPEC = BucketSpec("gs://abc/logs/", "p:")


def build(number: str, started_s: int = NOW_S, **rest: object) -> Build:
    cases = (Case("a", Status.PASSED, 1.5), Case("b", Status.FAILED, text="why \ud800"), Case("b", Status.PASSED))
    whole = {"is_finished": True, "passed": True, "cases": cases, "artifacts": (Artifact("x", 2**70),)} | rest
    return Build("j", number, started_s=started_s, **whole)  # type: ignore[arg-type]  # fields by name


def origin(number: str) -> Origin:
    return Origin(SPEC, "j", number, f"j/{number}/", NOW_S)


@contextmanager
def writer(root: Path) -> Iterator[Writer]:
    store = open_store(str(root))
    assert isinstance(store, ClearableStore)
    with held(store, "me", clock=lambda: NOW_S) as lease:
        yield Writer(store, lease)


def write(root: Path, *builds: Build, state: BucketState | None = None) -> None:
    with writer(root) as to:
        for each in builds:
            to.gather(rows_of(each, origin(each.number)))
        to.commit({SPEC.uri: state or BucketState()}, NOW_S)


def ask(root: Path, sql: str) -> list[tuple[object, ...]]:
    with opened(open_store(str(root))) as connection:
        return connection.execute(sql).fetchall()


def parquet(root: Path) -> list[str]:
    return sorted(str(file.relative_to(root)) for file in root.rglob("*.parquet"))


def test_rows_come_back_as_they_were_gathered(tmp_path: Path) -> None:
    write(
        tmp_path,
        build("1", metadata=(("k", "v"),), findings=(Finding("r", "o", "w", ("kettle",)),)),
        build("2", NOW_S - DAY_S),
    )

    assert ask(
        tmp_path, "SELECT day::VARCHAR, number, build, metadata, bytes, tests, failed FROM builds ORDER BY number"
    ) == [
        ("2026-11-22", "1", "gs://abc/logs/j/1", {"k": "v"}, 2**63 - 1, 3, 1),
        ("2026-11-21", "2", "gs://abc/logs/j/2", {}, 2**63 - 1, 3, 1),
    ]
    assert ask(tmp_path, "SELECT position, name, status, text FROM cases WHERE number = '1' ORDER BY position") == [
        (0, "a", "passed", ""),
        (1, "b", "failed", "why ?"),
        (2, "b", "passed", ""),
    ]
    assert ask(tmp_path, "SELECT name, mark, passes, runs, text FROM results WHERE number = '1' ORDER BY name") == [
        ("a", "passed", 1, 1, None),
        ("b", "flaky", 1, 2, "why ?"),
    ]
    assert ask(tmp_path, "SELECT rule, readers FROM findings") == [("r", ["kettle"])]
    assert ask(tmp_path, "SELECT job, name, started_s FROM failures ORDER BY number") == [
        ("j", "b", NOW_S),
        ("j", "b", NOW_S - DAY_S),
    ]


def test_a_time_that_is_ahead_makes_no_day_to_come(tmp_path: Path) -> None:
    write(tmp_path, build("1", NOW_S + 400 * DAY_S))

    assert ask(tmp_path, "SELECT day::VARCHAR FROM builds") == [("2026-11-22",)]


def test_what_goes_on_is_there_until_it_ends(tmp_path: Path) -> None:
    running = build("1", is_finished=False, cases=())
    state = BucketState({"j/": PlaceState("1", 1)}, failures=2, why="x")
    with writer(tmp_path) as to:
        to.running[SPEC.uri, "j", "1"] = build_row(running, origin("1"))
        to.notes[SPEC.uri, "j"] = [finding_row(place_keys(SPEC, "j", NOW_S), Finding("r", "o", "w"), NOW_S)]
        to.commit({SPEC.uri: state}, NOW_S)

    assert ask(tmp_path, "SELECT number, is_finished FROM builds") == [("1", False)]
    assert ask(tmp_path, "SELECT job, build, rule FROM findings") == [("j", "", "r")]
    with writer(tmp_path) as to:
        assert to.manifest.buckets == {SPEC.uri: state}
        assert list(to.running) == [(SPEC.uri, "j", "1")]
        assert list(to.notes) == [(SPEC.uri, "j")]
        to.running.clear()
        to.notes.clear()
        to.gather(rows_of(build("1"), origin("1")))
        to.commit({}, NOW_S)

    assert ask(tmp_path, "SELECT number, is_finished FROM builds") == [("1", True)]
    assert ask(tmp_path, "SELECT * FROM findings") == []


def test_files_without_a_manifest_are_not_there(tmp_path: Path) -> None:
    """As one leaves them that is killed before it has committed."""
    write(tmp_path, build("1"))
    before = (tmp_path / MANIFEST).read_bytes()
    write(tmp_path, build("2"))
    (tmp_path / MANIFEST).write_bytes(before)

    assert ask(tmp_path, "SELECT number FROM builds") == [("1",)]
    write(tmp_path, build("3"))
    assert ask(tmp_path, "SELECT number FROM builds ORDER BY number") == [("1",), ("3",)]
    assert ask(tmp_path, "SELECT count(*) FROM cases") == [(6,)]


def test_one_whose_lease_was_taken_commits_nothing(tmp_path: Path) -> None:
    with writer(tmp_path) as slow:
        slow.gather(rows_of(build("1"), origin("1")))
        (tmp_path / "lease.json").unlink()  # its time was over, and somebody else went on
        write(tmp_path, build("2"))
        with pytest.raises(ResultsError, match="another collector has written to it; nothing is committed"):
            slow.commit({}, NOW_S)

    assert ask(tmp_path, "SELECT number FROM builds") == [("2",)]


def test_many_files_of_a_day_become_one_and_are_removed_later(tmp_path: Path) -> None:
    for number in range(MOST_FILES_A_DAY + 1):
        write(tmp_path, build(str(number)))
    write(tmp_path, build("99", NOW_S - DAY_S))
    whole = "SELECT number, position, name FROM cases ORDER BY ALL"
    before = ask(tmp_path, whole)
    with writer(tmp_path) as to:
        assert (to.compact(NOW_S), to.compact(NOW_S)) == (1, 0)

    assert ask(tmp_path, whole) == before
    manifest, _ = read_manifest(open_store(str(tmp_path)))
    assert {day: len(names) for day, names in manifest.files.items()} == {"2026-11-21": 1, "2026-11-22": 1}
    assert len(parquet(tmp_path)) > 3 * MOST_FILES_A_DAY
    with writer(tmp_path) as to:
        to.clean(NOW_S + REMOVED_AFTER_S)
    assert ask(tmp_path, whole) == before
    assert parquet(tmp_path) == sorted(
        path for table in ("builds", "cases", "objects") for path in manifest.paths(table)
    )


def test_days_that_are_no_longer_kept_are_gone(tmp_path: Path) -> None:
    write(tmp_path, build("1"), build("2", NOW_S - 5 * DAY_S), build("3", NOW_S - 6 * DAY_S))
    with writer(tmp_path) as to:
        assert (to.retain(5, NOW_S), to.retain(5, NOW_S)) == (1, 0)

    assert ask(tmp_path, "SELECT number FROM builds ORDER BY ALL") == [("1",), ("2",)]


def test_what_a_killed_one_left_is_removed_once_a_day(tmp_path: Path) -> None:
    write(tmp_path, build("1"))
    stray = tmp_path / "cases/day=2026-11-22/stray.parquet"
    stray.touch()
    with writer(tmp_path) as to:
        to.clean(NOW_S)
        assert not stray.exists()
        stray.touch()
        to.clean(NOW_S + SWEPT_EVERY_S - 1)
        assert stray.exists()
        to.clean(NOW_S + SWEPT_EVERY_S)
        assert not stray.exists()

    assert ask(tmp_path, "SELECT number FROM builds") == [("1",)]


def test_an_empty_warehouse_has_every_column(tmp_path: Path) -> None:
    write(tmp_path)
    with opened(open_store(str(tmp_path))) as connection:
        for table, columns in TABLES.items():
            found = connection.execute(f"DESCRIBE {table}").fetchall()
            assert [(row[0], row[1]) for row in found] == [(name, kind) for name, kind, _ in columns]
