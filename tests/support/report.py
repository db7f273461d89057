"""``--report-dir DIR`` writes a dated report of a session: what ran, how it ended, how long it took."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest


class Report:
    """Collects one line a test and writes them as Markdown at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcome: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.when == "call" or not report.passed:
            self.outcome[report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        if not self.outcome:
            return
        now = datetime.now(UTC)
        commit = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=30, check=False
        ).stdout.strip()
        counts = {name: list(self.outcome.values()).count(name) for name in ("passed", "failed", "skipped")}
        lines = [
            f"# Full test report of {now:%Y-%m-%d %H:%M} UTC",
            "",
            f"Commit {commit}: {', '.join(f'{count} {name}' for name, count in counts.items())}.",
            "",
            "| test | outcome | seconds |",
            "|---|---|---|",
            *(
                f"| `{nodeid}` | {self.outcome[nodeid]} | {self.seconds[nodeid]:.1f} |"
                for nodeid in sorted(self.outcome)
            ),
        ]
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{now:%Y-%m-%d}-full.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report-dir", type=Path, help="write a dated report of this session into the folder")


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--report-dir")
    if folder is not None:
        config.pluginmanager.register(Report(folder), "report")
