"""TestGrid's own updater and summarizer, unmodified, run over a bucket; what they wrote comes back as plain values."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from tests.support.gcs import Bucket
from tests.support.gotools import testgrid_programs
from upload.model import Put

RUN_S = 120
RESULTS = (
    "NO_RESULT", "PASS", "PASS_WITH_ERRORS", "PASS_WITH_SKIPS", "RUNNING", "CATEGORIZED_ABORT", "UNKNOWN", "CANCEL",
    "BLOCKED", "TIMED_OUT", "CATEGORIZED_FAIL", "BUILD_FAIL", "FAIL", "FLAKY", "TOOL_FAIL", "BUILD_PASSED",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a test in one build. ``icon`` and ``message`` are empty where TestGrid keeps none."""

    result: str
    icon: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """What the updater made of a job. ``builds`` and ``headers`` newest first, as are the cells of each row."""

    builds: tuple[str, ...]
    headers: tuple[tuple[str, ...], ...]
    rows: Mapping[str, tuple[Cell, ...]]

    def column(self, build: str) -> dict[str, Cell]:
        """Return the cells of one build, those without a result left out."""
        place = self.builds.index(build)
        return {name: cells[place] for name, cells in self.rows.items() if cells[place].result != "NO_RESULT"}


@dataclass(frozen=True, slots=True)
class TestGrid:
    """TestGrid for one job of a bucket. ``gcs_prefix``: where the job's builds, or their aliases, lie in it.

    ``tab``: more keys of the dashboard's only tab.
    """

    __test__ = False

    bucket: Bucket
    job: str
    gcs_prefix: str
    scratch: Path
    tab: Mapping[str, object] = field(default_factory=dict)

    def update(self, **options: object) -> Grid:
        """Run the updater and return what it wrote. ``options`` are more keys of the test group."""
        self._configure(options)
        self._run("testgrid-updater")
        return _grid(self._made("grid", f"grid/{self.job}"))

    def summarize(self) -> dict[str, Any]:
        """Run the summarizer over the last update and return the tab's summary."""
        self._run("testgrid-summarizer")
        (tab,) = self._made("summary", "summary/summary-providerexample")["tab_summaries"]
        return dict(tab)

    def stored_grid(self) -> dict[str, Any]:
        """Return the grid as it is stored, field by field."""
        return self._made("grid", f"grid/{self.job}")

    def store_grid(self, state: bytes) -> None:
        """Put a state into the place of the updater's."""
        self._replace(f"grid/{self.job}", state)

    def read_summary(self, body: bytes) -> dict[str, Any]:
        """Return the only tab of a dashboard's summary, as TestGrid's own package reads it."""
        path = self.scratch / "read-summary"
        path.write_bytes(body)
        (tab,) = json.loads(_convert("summary", path))["tab_summaries"]
        return dict(tab)

    def _configure(self, options: Mapping[str, object]) -> None:
        group = {
            "name": self.job,
            "gcs_prefix": f"{self.bucket.name}/{self.gcs_prefix}",
            "days_of_results": 30,
            "num_columns_recent": 10,
            "disable_prowjob_analysis": True,
            **options,
        }
        tab = {"name": "tab", "test_group_name": self.job, **self.tab}
        told = {"test_groups": [group], "dashboards": [{"name": "provider-example", "dashboard_tab": [tab]}]}
        path = self.scratch / "config.yaml"
        path.write_text(json.dumps(told))  # JSON is YAML
        self._replace("config", _configuration(path, self.scratch))

    def _replace(self, name: str, body: bytes) -> None:
        store = self.bucket.store()
        there = store.stat(name)
        store.put(Put(name, body, "application/octet-stream"), replaces=there.generation if there else 0)

    def _run(self, program: str) -> None:
        host = self.bucket.endpoint.removeprefix("http://")
        # the updater makes a Pub/Sub client that it then does not use
        env = {**os.environ, "STORAGE_EMULATOR_HOST": host, "PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}
        argv = [str(testgrid_programs()[program]), f"--config={self.bucket.uri}/config", "--confirm"]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=RUN_S, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "level=error" not in done.stderr, done.stderr[-3000:]

    def _made(self, kind: str, name: str) -> dict[str, Any]:
        stored = self.bucket.store().read(name)
        assert stored is not None, [entry.path for entry in self.bucket.store().list()]
        path = self.scratch / kind
        path.write_bytes(stored.body)
        return dict(json.loads(_convert(kind, path)))


def read_configuration(source: Path, scratch: Path) -> dict[str, Any]:
    """Return a configuration, a file or a folder of them, as TestGrid's own parser reads it; strictly, and validated."""
    path = scratch / "configuration"
    path.write_bytes(_configuration(source, scratch))
    return dict(json.loads(_convert("configuration", path)))


def _configuration(source: Path, scratch: Path) -> bytes:
    defaults = scratch / "defaults.yaml"
    defaults.write_text(json.dumps({"default_test_group": {}, "default_dashboard_tab": {}}))
    return _convert("config", source, defaults)


def _convert(kind: str, *paths: Path) -> bytes:
    argv = [str(testgrid_programs()["testgrid-convert"]), kind, *map(str, paths)]
    done = subprocess.run(argv, capture_output=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _grid(state: Mapping[str, Any]) -> Grid:
    columns = state["columns"]
    return Grid(
        builds=tuple(column["build"] for column in columns),
        headers=tuple(tuple(column["extra"]) for column in columns),
        rows={row["name"]: tuple(_cells(row)) for row in state["rows"]},
    )


def _cells(row: Mapping[str, Any]) -> Iterator[Cell]:
    """Yield the cells of a row: results are run-length coded, icons and messages are kept for cells with a result."""
    pairs = zip(row["results"][::2], row["results"][1::2], strict=True)
    filled = iter(zip(row["icons"], row["messages"], strict=True))
    for result in (each for value, count in pairs for each in repeat(RESULTS[value], count)):
        if result == "NO_RESULT":
            yield Cell(result)
        else:
            icon, message = next(filled)
            yield Cell(result, icon, message)
