"""Progress as JSON lines, written by one process only, for whoever watches the run. See ``EventReporter``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from _pytest.junitxml import mangle_test_address  # it has no public name

Clock = Callable[[], float]
TEXT_CHARS = 20_000


@dataclass(slots=True)
class _Running:
    """What is known of a case between its start and its end."""

    name: str
    seconds: float = 0.0
    status: str = "passed"
    texts: list[str] = field(default_factory=list)


class EventReporter:
    """Appends one line per event and flushes it; lives in the controller, or in the only process.

    ``{"event": "collected", "total": N}`` · ``{"event": "started", "name": TITLE, "at_s": UTC epoch}`` ·
    ``{"event": "finished", "name": TITLE, "classname": as in pytest's JUnit, "status": "passed|failed|skipped",
    "seconds": S, "text": …}`` ·
    ``{"event": "problem", "name": FILE, "text": …}`` for what could not be collected ·
    ``{"event": "leftover", "kind": KIND, "name": NAME}`` for what the suite created and did not get rid of.
    A case that was started and never finished was cut.
    """

    def __init__(self, file: Path | None, clock: Clock = time.time) -> None:
        self._file = file
        self._clock = clock
        self._stream: IO[str] | None = None
        self._running: dict[str, _Running] = {}
        self._collected = False

    def write(self, event: str, **facts: Any) -> None:
        """Append one event. Does nothing where no file was asked for."""
        if self._file is None:
            return
        if self._stream is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            private = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._stream = os.fdopen(private, "a", encoding="utf-8")
        self._stream.write(json.dumps({"event": event, **facts}, ensure_ascii=True) + "\n")
        self._stream.flush()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say how many cases there are, when this process collected them."""
        if not session.config.pluginmanager.hasplugin("dsession"):
            self._say_collected(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        """Say how many cases there are, when the first worker has collected them."""
        self._say_collected(len(ids))

    def _say_collected(self, total: int) -> None:
        if not self._collected:
            self._collected = True
            self.write("collected", total=total)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Pass on what could not be collected."""
        if report.failed:
            self.write("problem", name=report.nodeid, text=report.longreprtext[-TEXT_CHARS:])

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Write that a case has started; ``location`` ends in its title (see selection)."""
        self._running[nodeid] = _Running(location[2])
        self.write("started", name=location[2], at_s=round(self._clock(), 3))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up setup, call and teardown; the last of them ends the case."""
        case = self._running.setdefault(report.nodeid, _Running(report.location[2]))
        case.seconds += report.duration
        if report.failed:
            case.status = "failed"
            case.texts.append(report.longreprtext)
        elif report.skipped and case.status == "passed":
            case.status = "skipped"
            case.texts.append(skip_reason(report))
        # "???" is xdist's report of a crashed worker: no other follows
        if report.when not in ("setup", "call"):
            self._finish(report.nodeid)

    def _finish(self, node_id: str) -> None:
        case = self._running.pop(node_id)
        text = "\n\n".join(case.texts)[-TEXT_CHARS:]
        classname = ".".join(mangle_test_address(node_id)[:-1])
        facts = {"status": case.status, "seconds": round(case.seconds, 3), "text": text}
        self.write("finished", name=case.name, classname=classname, **facts)

    def pytest_unconfigure(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def skip_reason(report: pytest.TestReport) -> str:
    """Return the reason of a skip without pytest's prefix."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return report.longreprtext
