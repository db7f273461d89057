"""The live terminal: steps with their time, what is being downloaded or built, and the cases that run."""

from __future__ import annotations

import time
from typing import IO, TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from e2e.lifecycle.display import SuiteProgress, progress_text, suite_text
from upload.model import Case, Status, StepRecord

if TYPE_CHECKING:
    from providers.releases.sources import Progress

RUNNING_SHOWN = 8
LINES_OF_FAILURE = 12


class LiveDisplay:
    """Shows finished things as lines that stay, and what goes on in a few lines below that are drawn anew."""

    def __init__(self, stream: IO[str], *, verbose: bool = False) -> None:
        self._console = Console(file=stream, force_terminal=True, highlight=False, soft_wrap=False)
        self._verbose = verbose
        self._open: list[tuple[str, float]] = []
        self._progress: Progress | None = None
        self._suite: SuiteProgress | None = None
        self._spinner = Spinner("dots")
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def step_began(self, name: str) -> None:
        """Show it with a running clock."""
        self._progress = None
        self._open.append((name, time.monotonic()))

    def step_ended(self, record: StepRecord) -> None:
        """Leave a line with a tick or a cross."""
        self._progress = None
        self._open = [entry for entry in self._open if entry[0] != record.name]
        mark = ("✗ ", "red") if record.failure else ("✓ ", "green")
        inner = ": " in record.name
        name = record.name.split(": ", 1)[-1] if inner else record.name
        self._say(Text.assemble(("  " if inner else "", ""), mark, (name, ""), (f" {record.seconds:.1f} s", "dim")))
        if record.failure:
            shown = record.failure.splitlines()[:LINES_OF_FAILURE]
            self._say(Text("\n".join(f"    {line}" for line in shown), style="red"))
        if record.name == "Test":
            self._suite = None

    def note(self, text: str) -> None:
        """Leave a line."""
        self._say(Text(text))

    def progress(self, progress: Progress) -> None:
        """Show it below the step."""
        self._progress = progress

    def suite(self, progress: SuiteProgress) -> None:
        """Show it below the step."""
        self._suite = progress

    def case_ended(self, case: Case) -> None:
        """Leave a line for a failed one; for all of them with ``-v``."""
        if case.status is Status.FAILED:
            self._say(Text.assemble(("  ✗ ", "red"), (case.name, "red"), (f" {case.seconds:.1f} s", "dim")))
        elif self._verbose:
            mark = ("  ✓ ", "green") if case.status is Status.PASSED else ("  - ", "dim")
            self._say(Text.assemble(mark, (case.name, ""), (f" {case.seconds:.1f} s", "dim")))

    def output(self, text: str) -> None:
        """Leave it with ``-v``."""
        if self._verbose:
            self._say(Text(text.rstrip("\n")))

    def close(self) -> None:
        """Remove the live lines."""
        self._live.stop()

    def _say(self, text: Text) -> None:
        # never as markup: titles hold brackets; never broken into lines: a person copies commands from here
        self._console.print(text, soft_wrap=True)

    def _render(self) -> RenderableType:
        now = time.monotonic()
        lines: list[RenderableType] = []
        for name, began in self._open[-1:]:
            self._spinner.update(text=Text.assemble((name, ""), (f" {now - began:.0f} s", "dim")))
            lines.append(self._spinner)
        if self._progress is not None:
            lines.append(Text(f"    {progress_text(self._progress)}", overflow="ellipsis", no_wrap=True))
        if self._suite is not None:
            lines.extend(self._suite_lines(self._suite))
        return Group(*lines)

    def _suite_lines(self, suite: SuiteProgress) -> list[RenderableType]:
        lines: list[RenderableType] = [Text(f"    {suite_text(suite)}", style="bold")]
        now_s = time.time()
        oldest = sorted(suite.running.items(), key=lambda entry: entry[1])
        for name, at_s in oldest[:RUNNING_SHOWN]:
            lines.append(
                Text(f"    {max(0.0, now_s - at_s):4.0f} s  {name}", overflow="ellipsis", no_wrap=True, style="dim")
            )
        if len(oldest) > RUNNING_SHOWN:
            lines.append(Text(f"    and {len(oldest) - RUNNING_SHOWN} more", style="dim"))
        return lines
