"""The one object that says what the warehouse holds. What it does not name is not there, whatever lies beside it.

Each commit replaces it under its generation, after all files that it names were written: a reader sees the state before or
the state after, and a writer that was cut off leaves the last complete one. It names days and jobs, never builds, so that
it grows with these alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from upload.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from upload.store import Store

MANIFEST = "warehouse.json"
FORMAT = 1

_NAME = re.compile(r"[0-9]{8,}-[0-9a-f]{8}")
_DAY = re.compile(r"[0-9]{4,}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Again:
    """A build that has to be read again. ``since_s``: first seen, UTC epoch; ``tries``: reads that were cut off."""

    since_s: int
    tries: int = 0


@dataclass(frozen=True, slots=True)
class PlaceState:
    """What is known of one job's folder.

    ``newest``: the newest build id that was read, empty for none. ``width``: how many digits all ids have, 0 where that
    differs. ``whole_s``: from when on it is counted until all ids are listed again, UTC epoch. ``again``: by id.
    """

    newest: str = ""
    width: int = 0
    whole_s: int = 0
    again: Mapping[str, Again] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BucketState:
    """What is known of one bucket. ``failures`` in a row; until ``retry_s`` (UTC epoch) it is left alone, for ``why``."""

    places: Mapping[str, PlaceState] = field(default_factory=dict)
    failures: int = 0
    retry_s: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of a warehouse after one commit.

    ``files``: day → id of a commit's files → table → rows. ``current``: id of the files of what still changes, or empty.
    ``buckets``: by address. ``dropped``: path → since when (UTC epoch) nothing names it any more.
    """

    sequence: int = 0
    written_s: int = 0
    files: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    current: str = ""
    buckets: Mapping[str, BucketState] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    swept_s: int = 0

    def paths(self, table: str, *, since: str = "") -> Iterator[str]:
        """Yield the files of a table, oldest day first. ``since``: a day; older ones are left out."""
        for day in sorted(self.files):
            if day >= since:
                yield from (file_path(table, day, name) for name, rows in self.files[day].items() if rows.get(table))

    def current_path(self, table: str) -> str:
        """Return the file of what still changes in a table, or empty."""
        return current_path(table, self.current) if self.current else ""

    def named(self) -> set[str]:
        """Return every file that belongs to the warehouse, those that may still be read among them."""
        from dashboard_feed.warehouse.tables import CURRENT_TABLES, TABLES

        settled = {path for table in TABLES for path in self.paths(table)}
        return settled | {self.current_path(table) for table in CURRENT_TABLES} | set(self.dropped)

    def rows(self, table: str) -> int:
        """Return how many settled rows a table has."""
        return sum(rows.get(table, 0) for day in self.files.values() for rows in day.values())


def file_path(table: str, day: str, name: str) -> str:
    """Return where a file of a table lies."""
    return f"{table}/day={day}/{name}.parquet"


def current_path(table: str, name: str) -> str:
    """Return where the rows of a table lie that still change."""
    return f"current/{table}/{name}.parquet"


def read_manifest(store: Store) -> tuple[Manifest, int]:
    """Return a warehouse's manifest and its generation; an empty one and 0 where there is none yet.

    Raises: ResultsError when it is no manifest, or of a later format.
    """
    stored = store.read(MANIFEST)
    if stored is None:
        return Manifest(), 0
    try:
        return parse_manifest(stored.body), stored.generation
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        where = store.uri_of(MANIFEST)
        raise ResultsError(f"{where}: no warehouse's manifest that can be read: {error}") from error


def parse_manifest(body: bytes) -> Manifest:
    """Return the manifest in a JSON text. Raises ValueError, KeyError or TypeError."""
    document = json.loads(body)
    if document["format"] != FORMAT:
        message = f"format {document['format']}, {FORMAT} is known"
        raise ValueError(message)
    del document["format"]
    names = {document["current"], *(name for days in document["files"].values() for name in days)} - {""}
    if not all(map(_NAME.fullmatch, names)) or not all(map(_DAY.fullmatch, document["files"])):
        message = "a file's name that is none of ours"  # it becomes a path on whatever machine asks the warehouse
        raise ValueError(message)
    document["buckets"] = {uri: _bucket(state) for uri, state in document["buckets"].items()}
    return Manifest(**document)


def render_manifest(manifest: Manifest) -> bytes:
    """Return the JSON text of a manifest."""
    return json.dumps({"format": FORMAT, **asdict(manifest)}, separators=(",", ":"), sort_keys=True).encode()


def _bucket(state: dict[str, Any]) -> BucketState:
    places = {
        folder: PlaceState(**{**place, "again": {n: Again(**again) for n, again in place["again"].items()}})
        for folder, place in state["places"].items()
    }
    return BucketState(**{**state, "places": places})
