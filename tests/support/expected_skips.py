"""CI fails on a skip that it did not expect: a test that never runs proves nothing."""

from __future__ import annotations

import os
import re

import pytest

# reasons that are fine in CI, each with why it cannot run there
EXPECTED: tuple[str, ...] = ()


class SkipGuard:
    """Collects the skips of a session and turns it red when CI meets one that is not in EXPECTED."""

    def __init__(self) -> None:
        self.unexpected: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.note(report.nodeid, report.longrepr[2])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.note(report.nodeid, report.longrepr[2])

    def note(self, nodeid: str, reason: str) -> None:
        if not any(re.search(pattern, reason) for pattern in EXPECTED):
            self.unexpected.append(f"{nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.unexpected and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.unexpected:
            terminalreporter.write_line(f"CI did not expect this skip: {line}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI"):
        config.pluginmanager.register(SkipGuard(), "skip-guard")
