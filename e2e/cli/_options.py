"""Options and arguments that several verbs share, and how a verb that changes a run begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from click import Context, Parameter
from click.shell_completion import CompletionItem
from click.types import StringParamType

if TYPE_CHECKING:
    from e2e.lifecycle.run import Run
    from upload.errors import Outcome

Command = Callable[..., Any]
PRESETS = ("gating", "conformance", "nightly", "soak")
LOG_FORMATS = ("auto", "live", "plain", "json")


class RunParam(StringParamType):
    """A RUN, or a JOB for its newest run. Looked up by the verb, not here."""

    name = "run"

    def get_metavar(self, param: Parameter, ctx: Context) -> str:
        """Return what help shows."""
        return "[RUN]"

    def shell_complete(self, ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the runs that begin with what is typed, the newest first."""
        from e2e.lifecycle.attach import all_runs
        from e2e.settings import current_settings

        found = all_runs(current_settings().state)
        return [CompletionItem(state.run) for _, state in found if state.run.startswith(incomplete)]


class Duration(StringParamType):
    """A duration such as ``30m``, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> Any:
        """Return the seconds."""
        from providers.config.rules import duration_s

        if isinstance(value, int):
            return value
        try:
            return duration_s(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


def run_argument(command: Command) -> Command:
    """Add the argument RUN: the newest live run unless given."""
    return click.argument("run", required=False, type=RunParam())(command)


def log_options(command: Command) -> Command:
    """Add ``--log-format`` and ``-v``."""
    formats = click.Choice(LOG_FORMATS)
    command = click.option("-v", "--verbose", is_flag=True, help="Show what the tester prints, and tracebacks.")(
        command
    )
    return click.option("--log-format", type=formats, default="auto", show_default=True, help="How progress is shown.")(
        command
    )


def suite_options(command: Command) -> Command:
    """Add what narrows the suite."""
    for option in (
        click.option("--timeout", type=Duration(), metavar="TIME", help="What the suite may take, such as 30m."),
        click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="How many cases run at a time."),
        click.option("--skip", metavar="RE", help="Leave out cases whose title matches."),
        click.option("--focus", metavar="RE", help="Run only cases whose title matches."),
        click.option("--preset", type=click.Choice(PRESETS), help="Which cases run, instead of the config's preset."),
        click.option("--select", metavar="EXPR", help="Marker expression, and-ed with the preset's."),
    ):
        command = option(command)
    return command


def say_ending(run: Run, outcome: Outcome) -> int:
    """Show and log how a run ended, the addresses last; return its exit code."""
    from e2e.lifecycle.addresses import addresses
    from e2e.lifecycle.publish import build_of, store_of
    from e2e.lifecycle.summary import closing_lines

    lines = closing_lines(run.state, run.all_failures, run.tally)
    where = addresses(store_of(run.state), build_of(run.state), run.state.job) if run.state.claimed else ()
    for line in (*lines, *where):
        run.recorder.note(line)
    return outcome.value.exit_code
