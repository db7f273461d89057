"""Records the steps of a run as they go: for ``junit_runner.xml``, the state on disk, the log and the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

from e2e.lifecycle.display import Display
from e2e.lifecycle.signals import StepCut
from upload.errors import HarnessError, Outcome
from upload.model import StepRecord

SEPARATOR = ": "
TAIL_CHARS = 8_000


@dataclass(slots=True)
class Books:
    """What the recorder writes to. ``line``: one line of the log; ``save``: the finished steps, after each change."""

    display: Display
    line: Callable[[str], None]
    save: Callable[[tuple[StepRecord, ...]], None]
    held: Callable[[], AbstractContextManager[None]]


@dataclass(slots=True)
class _Open:
    name: str
    started_s: int
    began: float
    first: int
    tail: str = ""
    failure: str = ""
    outcome: Outcome | None = None


@dataclass(slots=True)
class Recorder:
    """The ``StepRecorder`` of a run. Steps nest: one inside Up is recorded as ``Up: <name>``, before Up itself.

    What failed inside a step that then passed was overcome, such as a port that was taken: it is no failure.
    ``records`` holds the steps that have ended, by their start; ``held`` of the books keeps a cut out of them.
    """

    books: Books
    records: list[StepRecord] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    now_s: Callable[[], float] = time.time
    _open: list[_Open] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Enter a step; it is recorded with its seconds, also when it raises."""
        full_name = SEPARATOR.join([*(each.name for each in self._open[-1:]), name])
        entry = _Open(full_name, int(self.now_s()), self.clock(), first=len(self.records))
        try:
            with self.books.held():
                self._begin(entry)
            yield
        except BaseException as error:
            with self.books.held():
                entry.failure, entry.outcome = failure_text(error), outcome_of(error)
                entry.tail = getattr(error, "output_tail", "") or entry.tail
                self._end(entry)
            raise
        with self.books.held():
            self._end(entry)

    def note(self, text: str) -> None:
        """Write one line to the log and show it."""
        with self.books.held():
            self.books.line(text)
            self.books.display.note(text)

    def keep_tail(self, text: str) -> None:
        """Give the innermost open step its output; the record keeps the end of it."""
        self._open[-1].tail = text

    def mark_failed(self, text: str, outcome: Outcome) -> None:
        """Have the innermost open step end as a failure without an error: a verdict on what was tested."""
        self._open[-1].failure, self._open[-1].outcome = text, outcome

    def add(self, record: StepRecord) -> None:
        """Add a step that another process began."""
        with self.books.held():
            self._record(record)

    def _begin(self, entry: _Open) -> None:
        self._open.append(entry)
        self.books.line(f"{entry.name}: begins")
        self.books.display.step_began(entry.name)

    def _end(self, entry: _Open) -> None:
        while entry in self._open:  # steps inside it that a cut left open end with it
            self._open.pop()
        seconds = round(self.clock() - entry.began, 3)
        tail = entry.tail[-TAIL_CHARS:]
        record = StepRecord(entry.name, entry.started_s, seconds, entry.failure, tail, entry.outcome)
        self.books.line(f"{entry.name}: {'failed' if record.failure else 'done'} after {seconds:.1f} s")
        if record.failure:
            self.books.line(record.failure)
        self.books.display.step_ended(record)
        if not record.failure:
            self.records[entry.first :] = map(_overcome, self.records[entry.first :])
        self._record(record)

    def _record(self, record: StepRecord) -> None:
        self.records.append(record)
        self.books.save(tuple(self.records))


def _overcome(record: StepRecord) -> StepRecord:
    if not record.failure:
        return record
    tail = f"{record.failure}\n{record.output_tail}"[-TAIL_CHARS:]
    return replace(record, failure="", outcome=None, output_tail=tail)


def outcome_of(error: BaseException) -> Outcome:
    """Return what an error makes of the run. Anything that is not one of ours is a bug of ours."""
    error = error.reason if isinstance(error, StepCut) else error
    return error.outcome if isinstance(error, HarnessError) else Outcome.BUG


def failure_text(error: BaseException) -> str:
    """Return what a reader should see of an error: its message, notes, and the command to try next."""
    error = error.reason if isinstance(error, StepCut) else error
    hint = f"\ntry: {error.hint}" if isinstance(error, HarnessError) and error.hint else ""
    return f"{_reasons(error)}{hint}"


def headline(error: BaseException) -> str:
    """Return an error in one line. Of several reasons it has the last one, that of the last thing tried."""
    error = error.reason if isinstance(error, StepCut) else error
    first, *rest = _reasons(error).splitlines()
    return f"{first} {rest[-1].strip()}" if rest and first.endswith(":") else first


def _reasons(error: BaseException) -> str:
    said = str(error) if isinstance(error, HarnessError) else f"a bug of ours: {type(error).__name__}: {error}"
    return "\n".join([said or type(error).__name__, *getattr(error, "__notes__", ())])
