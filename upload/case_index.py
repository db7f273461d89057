"""What must be known of all cases at once, on disk: which share a name, which are attempts of one test, how tests ended.

A build may have millions of cases; memory holds none of them. SQLite sorts and groups in a file, within its cache.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple, Self

from upload.errors import ResultsError
from upload.junit_render import published_micros
from upload.model import Case, Status, SuiteEnding
from upload.names import is_suite_node

SHOWN_NAMES = 20
_BATCH = 1_000
_STATUSES = {Status.PASSED: 0, Status.FAILED: 1, Status.SKIPPED: 2}

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -4096;
CREATE TABLE cases (
  seq INTEGER PRIMARY KEY, shown INTEGER, test INTEGER, status INTEGER, micros INTEGER,
  body INTEGER, size INTEGER, line INTEGER, name TEXT);
"""

# ran: what was not skipped, of tests that failed at least once; ended: each such test; names: what readers see of them
_ENDINGS = """
CREATE TEMP TABLE endings AS
WITH ran AS (
  SELECT test, shown, seq, name FROM cases
  WHERE status <> 2 AND test IN (SELECT test FROM cases WHERE status = 1)),
ended AS (
  SELECT test, shown, min(seq) AS first, max(seq) AS last, max(name) AS name FROM ran GROUP BY test)
SELECT max(ended.name) AS name, min(first) AS first, max(status = 1) AS failed
FROM ended JOIN cases ON cases.seq = ended.last GROUP BY ended.shown
"""

_GROUPS = """
CREATE TEMP TABLE groups AS
SELECT shown, min(seq) AS first, sum(size) AS size FROM cases GROUP BY shown HAVING count(*) > 1
"""

_IN_ORDER = "SELECT seq, status = 1, micros, body, size, 0 FROM cases ORDER BY seq"

_GROUPED = """
SELECT coalesce(groups.first, seq) AS place, status = 1, micros, body, cases.size, coalesce(groups.size, 0)
FROM cases LEFT JOIN groups ON groups.shown = cases.shown ORDER BY place, seq
"""

_ATTEMPTS = """
SELECT line, attempt FROM (
  SELECT seq, line, row_number() OVER (PARTITION BY test ORDER BY seq) AS attempt FROM cases
  WHERE test IN (SELECT test FROM cases GROUP BY test HAVING count(*) > 1))
WHERE attempt > 1 ORDER BY seq
"""


class Written(NamedTuple):
    """Where a case stands: its body of ``size`` bytes at ``body`` in one file, its line at ``line`` in another."""

    body: int
    size: int
    line: int


NOWHERE = Written(0, 0, 0)


class Placed(NamedTuple):
    """A case where it is published. ``is_failed``: 0 or 1; ``place`` is the same for all of one name; ``group_bytes``: their size, 0 of one alone."""

    place: int
    is_failed: int
    micros: int
    body: int
    size: int
    group_bytes: int


class CaseIndex:
    """Facts of every case in the order they were added. A context; every method raises ResultsError when the disk refuses.

    The database has no name: SQLite opens it for us alone in the system's folder for temporary files, once it outgrows
    its cache, and it is gone when the process is.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[object, ...]] = []
        self._count = 0
        with _mapped():
            self._db = sqlite3.connect("", isolation_level=None)
            self._db.executescript(_SCHEMA)
            self._db.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def __len__(self) -> int:
        return self._count

    def add(self, case: Case, written: Written = NOWHERE) -> None:
        """Take one case after all others."""
        status = _STATUSES[case.status]
        self._count += 1
        seq = self._count
        # Ginkgo gives all nodes of one kind the same name: a second one is no second attempt of the first
        alone = f"\0{seq}" if is_suite_node(case.name) else ""
        self._rows.append((
            seq, _digest(case.name), _digest(f"{case.source}\0{case.classname}\0{case.name}{alone}"), status,
            published_micros(case), written.body, written.size, written.line, case.name if status == 1 else None,
        ))  # fmt: skip
        if len(self._rows) >= _BATCH:
            self._flush()

    def ending(self) -> SuiteEnding:
        """Return how the tests ended: what failed in the end, and what failed and then passed.

        Attempts are cases of one name in one file. The same name in two files is two tests, since one file is what one
        program wrote: a pass in one must not hide a failure in the other.
        """
        self._flush()
        with _mapped():
            self._db.execute("DROP TABLE IF EXISTS temp.endings")
            self._db.execute(_ENDINGS)
            (failed, first_failed), (flaky, first_flaky) = (self._ended(failed=is_failed) for is_failed in (1, 0))
        return SuiteEnding(self._count, failed, first_failed, flaky, first_flaky)

    def placed(self) -> Iterator[Placed]:
        """Yield every case in the order of publication: attempts of one name together, at the first one's place."""
        self._flush()
        with _mapped():
            self._db.execute("DROP TABLE IF EXISTS temp.groups")
            self._db.execute(_GROUPS)
            self._db.execute("CREATE UNIQUE INDEX temp.by_shown ON groups (shown)")
            (some,) = self._db.execute("SELECT EXISTS (SELECT 1 FROM groups)").fetchone()
            yield from map(Placed._make, self._db.execute(_GROUPED if some else _IN_ORDER))

    def later_attempts(self) -> Iterator[tuple[int, int]]:
        """Yield where the line of each second and later attempt of a test begins, and its number, in file order."""
        self._flush()
        with _mapped():
            yield from self._db.execute(_ATTEMPTS)

    def _ended(self, *, failed: int) -> tuple[int, tuple[str, ...]]:
        (count,) = self._db.execute("SELECT count(*) FROM endings WHERE failed = ?", (failed,)).fetchone()
        some = "SELECT name FROM endings WHERE failed = ? ORDER BY first LIMIT ?"
        return count, tuple(name for (name,) in self._db.execute(some, (failed, SHOWN_NAMES)))

    def _flush(self) -> None:
        with _mapped():
            self._db.executemany("INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self._rows)
        self._rows.clear()


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise ResultsError(
            f"the index of the cases: {exc}", hint="free some space in the state folder, or set TMPDIR"
        ) from exc


def _digest(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
