"""Writes a warehouse: rows are gathered and committed together with what is known of the buckets they came from.

A commit writes new files, then the manifest that names them, under its generation: it is there whole or not at all. Files
that nothing names any more are removed an hour later, since somebody may be reading them; files that nothing ever named,
left by a writer that was killed, once a day.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dashboard_feed.warehouse.files import read_rows, write_rows
from dashboard_feed.warehouse.manifest import (
    MANIFEST,
    BucketState,
    Manifest,
    current_path,
    file_path,
    read_manifest,
    render_manifest,
)
from dashboard_feed.warehouse.tables import CURRENT_TABLES, TABLES, batch, day_of
from upload.errors import PreconditionFailed, ResultsError
from upload.layout import NO_CACHE
from upload.model import Put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard_feed.warehouse.lease import Lease
    from dashboard_feed.warehouse.tables import BuildRows
    from upload.store import ClearableStore

    Rows = dict[str, tuple[Any, ...]]

BuildKey = tuple[str, str, str]
MOST_FILES_A_DAY = 8
WRITERS = 8
REMOVED_AFTER_S = 3_600
SWEPT_EVERY_S = 86_400


class Writer:
    """A warehouse that is written to by this process alone. Not safe to use from several threads.

    ``running``: (bucket, job, build id) → row of ``builds`` that still changes; ``notes``: (bucket, job) → rows of ``findings`` about these.
    """

    def __init__(self, store: ClearableStore, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self.manifest, self._generation = read_manifest(store)
        self._gathered: dict[str, dict[str, list[Any]]] = {}
        self.gathered_bytes = 0
        self.running: dict[BuildKey, tuple[Any, ...]] = {
            (row[1], row[3], row[4]): row for row in self._current("builds")
        }
        self.notes: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        for row in self._current("findings"):
            self.notes.setdefault((row[1], row[3]), []).append(row)

    def gather(self, rows: BuildRows) -> None:
        """Take the rows of a settled build, for the next commit."""
        tables = self._gathered.setdefault(rows.day, {})
        for table, several in rows.batches.items():
            tables.setdefault(table, []).append(several)
        self.gathered_bytes += rows.size_bytes

    def commit(self, buckets: Mapping[str, BucketState], now_s: int) -> None:
        """Write what was gathered, what still changes, and what is known of the buckets by now.

        Raises: ResultsError when the store says no, or somebody else has written meanwhile; then nothing is committed.
        """
        name = self._new_name()
        files = {day: {**names} for day, names in self.manifest.files.items()}
        parts = [(day, table) for day, tables in sorted(self._gathered.items()) for table in tables]
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="commit") as pool:
            counts = list(pool.map(lambda part: self._write(name, *part), parts))
        written: dict[str, dict[str, int]] = {}
        for (day, table), rows in zip(parts, counts, strict=True):
            written.setdefault(day, {})[table] = rows
        for day, rows_of_tables in written.items():
            files.setdefault(day, {})[name] = rows_of_tables
        current: dict[str, Sequence[tuple[Any, ...]]] = {
            "builds": list(self.running.values()),
            "findings": [row for rows in self.notes.values() for row in rows],
        }
        for table in CURRENT_TABLES:
            write_rows(self._store, current_path(table, name), table, [batch(table, current[table])])
        dropped = {**self.manifest.dropped, **dict.fromkeys(self._current_paths(), now_s)}
        self._replace(replace(self.manifest, files=files, current=name, buckets=dict(buckets), dropped=dropped), now_s)
        self._gathered, self.gathered_bytes = {}, 0

    def compact(self, now_s: int) -> int:
        """Make one file of the many that a day has in a table, and return for how many days that was done."""
        crowded = [day for day, names in self.manifest.files.items() if len(names) > MOST_FILES_A_DAY]
        for day in sorted(crowded):
            name, names = self._new_name(), self.manifest.files[day]
            rows = {}
            for table in TABLES:
                old = [file_path(table, day, one) for one, counts in names.items() if counts.get(table)]
                rows[table] = write_rows(
                    self._store, file_path(table, day, name), table, read_rows(self._store, old, table)
                )
            self._replace(self._without({day}, {day: {name: rows}}, now_s), now_s)
        return len(crowded)

    def retain(self, keep_days: int, now_s: int) -> int:
        """Leave out the days that are older than ``keep_days``, and return how many these were."""
        oldest = (day_of(now_s) - timedelta(days=keep_days)).isoformat()
        if old := {day for day in self.manifest.files if day < oldest}:
            self._replace(self._without(old, {}, now_s), now_s)
        return len(old)

    def clean(self, now_s: int) -> int:
        """Remove files that nobody reads any more, and return how many these were."""
        over = [path for path, since_s in self.manifest.dropped.items() if now_s - since_s >= REMOVED_AFTER_S]
        is_sweep = now_s - self.manifest.swept_s >= SWEPT_EVERY_S
        if is_sweep:
            named = self.manifest.named()
            over += [
                e.path for prefix in (*TABLES, "current") for e in self._store.list(f"{prefix}/") if e.path not in named
            ]
        if not over:
            return 0
        self._lease.check()
        for path in over:
            self._store.remove(path)
        left = {path: since_s for path, since_s in self.manifest.dropped.items() if path not in set(over)}
        self._replace(replace(self.manifest, dropped=left, swept_s=now_s if is_sweep else self.manifest.swept_s), now_s)
        return len(over)

    def _write(self, name: str, day: str, table: str) -> int:
        return write_rows(self._store, file_path(table, day, name), table, self._gathered[day][table])

    def _without(self, days: set[str], new: Mapping[str, Mapping[str, Mapping[str, int]]], now_s: int) -> Manifest:
        """Return the manifest with some days replaced, whose files are dropped."""
        gone = [
            file_path(table, day, name)
            for day in days
            for name, rows in self.manifest.files[day].items()
            for table in TABLES
            if rows.get(table)
        ]
        files = {day: names for day, names in self.manifest.files.items() if day not in days} | dict(new)
        return replace(self.manifest, files=files, dropped={**self.manifest.dropped, **dict.fromkeys(gone, now_s)})

    def _replace(self, manifest: Manifest, now_s: int) -> None:
        self._lease.check()
        new = replace(manifest, sequence=self.manifest.sequence + 1, written_s=now_s)
        put = Put(
            MANIFEST,
            render_manifest(new),
            "application/json",
            content_encoding="gzip",
            cache_control=NO_CACHE,
            create_only=False,
        )
        try:
            self._generation = self._store.put(put, replaces=self._generation).generation
        except PreconditionFailed as error:
            raise ResultsError(
                f"{self._store.uri}: another collector has written to it; nothing is committed"
            ) from error
        self.manifest = new

    def _current(self, table: str) -> list[tuple[Any, ...]]:
        path = self.manifest.current_path(table)
        if not path or self._store.stat(path) is None:  # no rows are no file
            return []
        rows = [row for part in read_rows(self._store, [path], table) for row in part.to_pylist(maps_as_pydicts=None)]
        return [tuple(row.values()) for row in rows]

    def _current_paths(self) -> list[str]:
        return [path for table in CURRENT_TABLES if (path := self.manifest.current_path(table))]

    def _new_name(self) -> str:
        """Return a name that no other commit has, not even one of a collector that lost its lease."""
        return f"{self.manifest.sequence + 1:08d}-{secrets.token_hex(4)}"
