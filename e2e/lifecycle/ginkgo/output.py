"""Follows what ``ginkgo -v --no-color`` prints: which cases ended how, how many there will be, what runs.

It is the only thing that Ginkgo writes while it runs: its reports (JUnit, JSON) come at the end, and upstream's
``--progress-report-url`` tells neither skips nor seconds nor why a case failed. A line of dashes without indentation
stands between blocks; whatever a case prints is indented. With several processes a block is written when a case has
ended; with one process its title comes when it begins. Source: reporters/default_reporter.go of ginkgo v2.21 to v2.28.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from e2e.lifecycle.counting import tally_of
from e2e.lifecycle.growing import whole_lines
from e2e.lifecycle.state import Tally
from upload.model import Case, Status
from upload.names import GINKGO_NODE, is_suite_node

DELIMITER = "-" * 30
LONGEST_TEXT = 1_000_000  # characters of one block; the whole is in the build log

_WILL_RUN = re.compile(r"Will run (\d+) of \d+ specs")
_ENDED = re.compile(
    r"(?P<mark>[•↺+SR]|\[[A-Z]\w+(?: \(\w+\))?\]) (?:PASSED )?(?:\[(?P<state>[A-Z][^]]*)\] )?\[(?P<seconds>\d+\.\d+) seconds\]"
)
_LOCATION = re.compile(r"\S.*:\d+")
_AT_MARGIN = re.compile(r"(?![SP]+$|[SP] \[)\S.*")
_LABELS = re.compile(r" \[(?:[^][]*, )?sig-[^][]*\]$")  # all of a case, in the order of its containers
_FAILED_NODE = re.compile(
    r"^TOP-LEVEL \[[A-Z]\w+(?: \(\w+\))?\] |(?:(?<=^)|(?<= ))\[(?:It|(?:Just)?(?:Before|After)Each|(?:Before|After)All"
    r"|Report(?:Before|After)Each|DeferCleanup \(\w+\))\](?: |$)"
)
_CUT = ("INTERRUPTED", "ABORTED")
_SKIPPED = "SKIPPED"
_ENDING = re.compile(r"^\[(?:SKIPPED|FAILED|PANICKED|TIMEDOUT)\] ", re.MULTILINE)


@dataclass(slots=True)
class GinkgoFollower:
    """What is known of one run of Ginkgo. ``look`` reads on; the rest are facts.

    ``ended`` is told of each case when it ends. ``total``: how many cases will run, None before Ginkgo knows.
    ``cases``: those that ended, in that order, under their published names, the suite's own nodes among them. ``cut``:
    cases that were interrupted. ``running``: title -> UTC epoch of its start, only with one process.
    """

    file: Path
    ended: Callable[[Case], None]
    now_s: Callable[[], float] = time.time
    total: int | None = None
    cases: list[Case] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)
    _offset: int = 0
    _block: list[str] = field(default_factory=list)
    _header: re.Match[str] | None = None
    _size: int = 0

    def look(self) -> None:
        """Read what was printed since the last look."""
        for line in self._new_lines():
            self._take(line)

    def finish(self) -> None:
        """Read the rest; nothing comes any more."""
        self.look()
        self._end_block()

    def tally(self, *, base: tuple[Case, ...] = ()) -> Tally:
        """Return the counts. ``base``: cases of earlier attempts."""
        return tally_of((*base, *counted(self.cases)), total=self.total or 0)

    def _new_lines(self) -> list[str]:
        whole = whole_lines(self.file, self._offset)
        self._offset += len(whole)
        return whole.decode("utf-8", "replace").split("\n")[:-1]

    def _take(self, line: str) -> None:
        if line == DELIMITER:
            self._end_block()
        elif self.total is None and (found := _WILL_RUN.fullmatch(line)):
            self.total = int(found[1])
        elif self._header is None and (header := _ENDED.fullmatch(line)):
            self._header = header
            if not self.running:
                self._forget_block()  # what stood before it belongs to no case
        else:
            self._keep(line)
            if self._header is None:
                self._see_beginning()

    def _see_beginning(self) -> None:
        """With one process a block begins with title and place."""
        if (
            len(self._block) == 2
            and all(map(_AT_MARGIN.fullmatch, self._block))
            and _LOCATION.fullmatch(self._block[1])
        ):
            self.running = {_published(self._block[0]): self.now_s()}

    def _keep(self, line: str) -> None:
        if self._size <= LONGEST_TEXT:
            self._block.append(line)
            self._size += len(line) + 1

    def _end_block(self) -> None:
        header, lines, running = self._header, self._block, next(iter(self.running), "")
        self._forget_block()
        self._header = None
        if header is None:
            return  # with one process also a delimiter inside of what a case prints: it goes on
        self.running = {}
        name = running or (_published(lines[0]) if lines else "")
        if not name:
            return
        state = header["state"] or ""
        if state in _CUT:
            self.cut.append(name)
            return
        case = Case(
            name=name, status=_status(header["mark"], state), seconds=float(header["seconds"]), text=_text(state, lines)
        )
        self.cases.append(case)
        if is_counted(case):
            self.ended(case)

    def _forget_block(self) -> None:
        self._block, self._size = [], 0


def counted(cases: list[Case]) -> tuple[Case, ...]:
    """Return the cases without what Ginkgo ran around the suite, unless that failed."""
    return tuple(filter(is_counted, cases))


def is_counted(case: Case) -> bool:
    """Say whether a case is a test, or went wrong beside the tests."""
    return case.status is Status.FAILED or not is_suite_node(case.name)


def _status(mark: str, state: str) -> Status:
    if mark == "S" or state == _SKIPPED:
        return Status.SKIPPED
    return Status.FAILED if state and not state.startswith("FLAKEY TEST") else Status.PASSED


def _text(state: str, lines: list[str]) -> str:
    """Return why it was skipped, or what a failed case came to and all that it printed."""
    if not state or state.startswith("FLAKEY TEST"):
        return ""
    block = "\n".join(line.removeprefix("  ") for line in lines[1:]).strip("\n")
    endings = list(_ENDING.finditer(block))  # the last one is whole, those before stand in the timeline
    if not endings:
        return block or state.lower()
    why = block[endings[-1].start() :]
    if state == _SKIPPED:
        return why.partition("\n")[0].removeprefix("[SKIPPED] ")
    return f"{why}\n\n{block[: endings[-1].start()].rstrip()}"


def _published(title: str) -> str:
    """Return the name that a case has in Ginkgo's JUnit: its node and its texts, without labels and the failed node."""
    title = title.strip()
    if is_suite_node(title):
        return title
    return GINKGO_NODE + _FAILED_NODE.sub("", _LABELS.sub("", title), count=1).strip()
