"""``--report-dir DIR`` writes a dated report of the tests of a commit: what ran, how it ended, how long it took.

A session that was cut is gone on with by the same command: what passed on this commit already is not run again.
``--shard K/N`` runs every Nth test only; shards of one commit, one after the other or beside each other, make one report.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

_SHARD = re.compile(r"([1-9][0-9]?)/([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class Line:
    """How one test ended last. ``seconds``: of its set-up, its body and its end."""

    test: str
    outcome: str
    seconds: float


class Report:
    """Writes a line a test below ``records`` as soon as it ended, and all of them as Markdown into ``folder`` at the end."""

    def __init__(self, folder: Path, records: Path, commit: str) -> None:
        self._folder = folder
        self._commit = commit
        self._records = records / f"{commit}.jsonl"
        self._reports: dict[str, list[pytest.TestReport]] = {}

    def lines(self) -> dict[str, Line]:
        """Return test -> its last line; one that was cut in the middle counts as not written."""
        found: dict[str, Line] = {}
        for text in self._records.read_text(encoding="utf-8").splitlines() if self._records.exists() else ():
            try:
                line = Line(**json.loads(text))
            except (ValueError, TypeError):
                continue
            found[line.test] = line
        return found

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        passed = {line.test for line in self.lines().values() if line.outcome == "passed"}
        _keep(config, items, [item for item in items if item.nodeid not in passed])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        reports = self._reports.pop(nodeid)
        outcomes = [report.outcome for report in reports]
        outcome = next((one for one in ("failed", "skipped") if one in outcomes), "passed")
        line = Line(nodeid, outcome, round(sum(report.duration for report in reports), 1))
        self._records.parent.mkdir(parents=True, exist_ok=True)
        with self._records.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(asdict(line)))  # so that one that was cut costs itself only

    def pytest_sessionfinish(self) -> None:
        if not (lines := sorted(self.lines().values(), key=lambda line: line.test)):
            return
        now = datetime.now(UTC)
        outcomes = [line.outcome for line in lines]
        counts = ", ".join(f"{outcomes.count(one)} {one}" for one in ("passed", "failed", "skipped"))
        text = [
            f"# Full test report of {now:%Y-%m-%d %H:%M} UTC",
            "",
            f"Commit {self._commit}: {counts}.",
            "",
            "| test | outcome | seconds |",
            "|---|---|---|",
            *(f"| `{line.test}` | {line.outcome} | {line.seconds:.1f} |" for line in lines),
        ]
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{now:%Y-%m-%d}-full.md").write_text("\n".join(text) + "\n", encoding="utf-8")


def every_nth(items: Sequence[pytest.Item], shard: str) -> list[pytest.Item]:
    """Return the tests of shard ``K/N``, so that the cases of one table are dealt out evenly. Raises: pytest.UsageError."""
    found = _SHARD.fullmatch(shard)
    if not found or int(found[1]) > int(found[2]):
        raise pytest.UsageError(f"--shard {shard}: expected K/N, such as 1/3")
    names = sorted(item.nodeid for item in items)
    chosen = set(names[int(found[1]) - 1 :: int(found[2])])
    return [item for item in items if item.nodeid in chosen]


def _keep(config: pytest.Config, items: list[pytest.Item], kept: list[pytest.Item]) -> None:
    if left_out := [item for item in items if item not in kept]:
        config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report-dir", type=Path, help="write a dated report of this commit's tests into the folder")
    parser.addoption("--shard", default="1/1", metavar="K/N", help="run every Nth test only, from the Kth on")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of one shard, of those that were selected; the report's own hook comes after this one."""
    _keep(config, items, every_nth(items, config.getoption("--shard")))


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--report-dir")
    if folder is not None:
        report = Report(folder, config.rootpath / "_results/full", _commit(config.rootpath))
        config.pluginmanager.register(report, "report")


def _commit(folder: Path) -> str:
    """Return the name of what is tested; with changes it is no commit's, and another one at each start."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, timeout=30, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":!docs/reports")
    suffix = f"-changed-{datetime.now(UTC):%H%M%S}" if changed else ""
    return git("rev-parse", "--short=12", "HEAD") + suffix
