"""What a person, a CI log or a program sees while a run goes: a live terminal, plain lines, or JSON lines."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from e2e.lifecycle.state import Tally
from upload.model import Case, Status, StepRecord

if TYPE_CHECKING:
    from providers.releases.sources import Progress

EVERY_S = 10.0  # how often plain lines tell of progress
LOG_FORMATS = ("auto", "live", "plain", "json")


@dataclass(frozen=True, slots=True)
class SuiteProgress:
    """How far the suite is now. ``running``: title -> UTC epoch of its start; ``eta_s``: seconds left, or None."""

    tally: Tally
    running: Mapping[str, float] = field(default_factory=dict)
    eta_s: float | None = None


class Display(Protocol):
    """Shows a run. Called often; decides itself how much of it is shown. ``progress`` may come from any thread."""

    def step_began(self, name: str) -> None:
        """Show that a step began."""

    def step_ended(self, record: StepRecord) -> None:
        """Show that a step ended, and how."""

    def note(self, text: str) -> None:
        """Show a line."""

    def progress(self, progress: Progress) -> None:
        """Show how far a download or a build is."""

    def suite(self, progress: SuiteProgress) -> None:
        """Show how far the suite is."""

    def case_ended(self, case: Case) -> None:
        """Show that a case ended, and how."""

    def output(self, text: str) -> None:
        """Show what a tester printed."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def make_display(log_format: str, *, verbose: bool, stream: IO[str] | None = None) -> Display:
    """Return the display for ``--log-format``; ``auto`` is live on a terminal and plain elsewhere."""
    out = cast("IO[str]", QuietStream(stream or sys.stderr))
    if log_format == "json":
        return JsonDisplay(out)
    if log_format == "live" or (log_format == "auto" and out.isatty()):
        from e2e.lifecycle.live import LiveDisplay

        return LiveDisplay(out, verbose=verbose)
    return PlainDisplay(out, verbose=verbose)


class QuietStream:
    """A stream that swallows errors: a terminal or a pipe that is gone must not end a run."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Leave the rest to the stream."""
        return getattr(self._stream, name)


@dataclass(slots=True)
class PlainDisplay:
    """Lines with the time, for logs of a CI. Progress comes at most every ten seconds."""

    stream: IO[str]
    verbose: bool = False
    clock: Callable[[], float] = time.monotonic
    now_s: Callable[[], float] = time.time
    _quiet_until: float = 0.0

    def step_began(self, name: str) -> None:
        """Write it."""
        self._line(f"{name} ...")
        self._quiet_until = self.clock() + EVERY_S

    def step_ended(self, record: StepRecord) -> None:
        """Write it with its seconds."""
        self._line(f"{record.name} {'FAILED' if record.failure else 'done'} ({record.seconds:.1f} s)")
        if record.failure:
            self._line(record.failure)

    def note(self, text: str) -> None:
        """Write it."""
        self._line(text)

    def progress(self, progress: Progress) -> None:
        """Write it, if nothing was written for a while or it is done."""
        if self._is_time():
            self._line(progress_text(progress))

    def suite(self, progress: SuiteProgress) -> None:
        """Write it, if nothing was written for a while."""
        if self._is_time():
            self._line(suite_text(progress))

    def case_ended(self, case: Case) -> None:
        """Write a failed one; all of them with ``-v``."""
        if case.status is Status.FAILED or self.verbose:
            self._line(f"{case.status} {case.name} ({case.seconds:.1f} s)")

    def output(self, text: str) -> None:
        """Write it with ``-v``; it is in the build log anyhow."""
        if self.verbose:
            self.stream.write(text)
            self.stream.flush()

    def close(self) -> None:
        """Nothing to do."""

    def _is_time(self) -> bool:
        if self.clock() < self._quiet_until:
            return False
        self._quiet_until = self.clock() + EVERY_S
        return True

    def _line(self, text: str) -> None:
        stamp = datetime.fromtimestamp(self.now_s(), tz=UTC).strftime("%H:%M:%SZ")
        for line in text.splitlines() or [""]:
            self.stream.write(f"{stamp} {line}\n")
        self.stream.flush()


@dataclass(slots=True)
class JsonDisplay:
    """One JSON object a line: ``at_s``, ``event`` and its facts. Suite progress comes at most once a second."""

    stream: IO[str]
    clock: Callable[[], float] = time.monotonic
    now_s: Callable[[], float] = time.time
    _quiet_until: float = 0.0

    def step_began(self, name: str) -> None:
        """Write it."""
        self._write("step-began", name=name)

    def step_ended(self, record: StepRecord) -> None:
        """Write it."""
        self._write("step-ended", name=record.name, seconds=record.seconds, failure=record.failure)

    def note(self, text: str) -> None:
        """Write it."""
        self._write("note", text=text)

    def progress(self, progress: Progress) -> None:
        """Write it, at most once a second."""
        if self._is_time():
            self._write(
                "progress", program=progress.program, done=progress.done, total=progress.total, unit=progress.unit
            )

    def suite(self, progress: SuiteProgress) -> None:
        """Write it, at most once a second."""
        if self._is_time():
            tally = progress.tally
            counts = {"total": tally.total, "passed": tally.passed, "failed": tally.failed, "skipped": tally.skipped}
            self._write("suite", **counts, running=sorted(progress.running), eta_s=progress.eta_s)

    def case_ended(self, case: Case) -> None:
        """Write it with its text."""
        self._write("case-ended", name=case.name, status=case.status, seconds=case.seconds, text=case.text)

    def output(self, text: str) -> None:
        """Leave it to the build log."""

    def close(self) -> None:
        """Nothing to do."""

    def _is_time(self) -> bool:
        if self.clock() < self._quiet_until:
            return False
        self._quiet_until = self.clock() + 1.0
        return True

    def _write(self, event: str, **facts: Any) -> None:
        self.stream.write(json.dumps({"at_s": round(self.now_s(), 3), "event": event, **facts}) + "\n")
        self.stream.flush()


def suite_text(progress: SuiteProgress) -> str:
    """Return one line on the suite: ``12 of 52 done, 1 failed, 8 running, about 20 s left``."""
    tally = progress.tally
    parts = [f"{tally.done} of {tally.total or '?'} done"]
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    if tally.skipped:
        parts.append(f"{tally.skipped} skipped")
    if progress.running:
        parts.append(f"{len(progress.running)} running")
    if progress.eta_s:
        parts.append(f"about {progress.eta_s:.0f} s left")
    return ", ".join(parts)


def progress_text(progress: Progress) -> str:
    """Return one line on a download or a build: ``kube-apiserver: 12.3 of 105.0 MB``."""
    if progress.unit == "bytes":
        done, total, unit = f"{progress.done / 1e6:.1f}", f"{progress.total / 1e6:.1f}", "MB"
    else:
        done, total, unit = str(progress.done), str(progress.total), progress.unit
    of = f" of {total}" if progress.total else ""
    return f"{progress.program}: {done}{of} {unit}"
