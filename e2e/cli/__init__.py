"""The command line: one module per verb in this folder, imported on first use. ``main`` alone turns errors into exit codes."""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import click

from upload.errors import HarnessError, Outcome, UsageError

# verb -> one-line help. The help stands here so that ``e2e --help`` imports no verb.
VERBS = {
    "run": "Bring a cluster up, test it, dump, take it down, publish.",
    "up": "Bring a cluster up and leave it.",
    "test": "Run the suite against a cluster that is up.",
    "dump": "Collect logs and objects of a cluster that is up.",
    "down": "Take a run's cluster down; with --resume, finish a killed run.",
    "status": "Show runs and what they left.",
    "results": "Show a run's verdict and its failed cases.",
    "wait": "Wait until a run has ended; exit with its verdict.",
    "kubeconfig": "Print the path of a run's kubeconfig.",
    "shell": "Open a shell with a run's kubeconfig and kubectl.",
    "ssh": "Open a terminal on a machine of a run.",
    "gc": "List expired clusters; --yes removes them.",
    "publish": "Publish a run, or a folder of artifacts made elsewhere.",
    "verify": "Check a store, job or build against every reader's rules.",
    "check": "Check job configs; say everything that is wrong.",
    "new": "Begin a config from nothing.",
    "jobs": "Make Jenkins jobs from configs.",
    "contribute": "Write the pull requests that put jobs on the dashboards.",
    "providers": "List providers and where each binary would come from.",
    "doctor": "Check this machine: disk, Python, Go, credentials, store.",
    "feed": "Read buckets and build dashboards.",
    "completion": "Print the completion script for bash, zsh or fish.",
}


class LazyGroup(click.Group):
    """A group whose verbs are modules, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of a run."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its ``command``."""
        if cmd_name not in VERBS:
            return None
        command = import_module(f"e2e.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            message = f"e2e.cli.{cmd_name}.command is no click command"
            raise TypeError(message)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verb when one is misspelt."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="federated-e2e", prog_name="e2e")
def cli() -> None:
    """Test Kubernetes end to end and publish results that every dashboard reads.

    \b
    e2e run local        a real control plane on this machine, a suite, results, a page to open
    e2e check FILE       everything that is wrong with a job config
    """  # noqa: D301  # click wants the character, not its name
    try:
        Path.cwd()
    except FileNotFoundError as exc:  # somebody removed it; every path that is not absolute would fail somewhere else
        raise UsageError("the current folder does not exist any more", hint="cd") from exc


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with the code of its outcome (DESIGN section 6)."""
    args = sys.argv[1:] if argv is None else argv
    sys.stdout, sys.stderr = _patient(sys.stdout), _patient(sys.stderr)
    sys.exit(_run(args))


class _Pipe(io.RawIOBase):
    """A file that takes what nobody reads any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        """Write, or act as if, once the reader is gone: it has seen what it wanted, and the command goes on."""
        try:
            return os.write(self._descriptor, data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def _patient(stream: TextIO) -> TextIO:
    """Return the stream so that neither a reader that left nor a terminal without every character ends a run."""
    if stream not in (sys.__stdout__, sys.__stderr__) or not isinstance(stream, io.TextIOWrapper):
        return stream  # the caller's own, in one process with us
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(stream.fileno())),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
    )


def _run(args: list[str]) -> int:
    verbose = any(a in ("-v", "--verbose") for a in args)
    try:
        code = cli.main(args=args, prog_name="e2e", standalone_mode=False)
    except HarnessError as error:
        _say(str(error), error.hint)
        if verbose:
            _traceback()
        return error.outcome.value.exit_code
    except click.Abort:
        _say("stopped", "")
        return Outcome.ABORTED.value.exit_code
    except click.ClickException as error:
        error.show()
        return Outcome.USAGE.value.exit_code
    except KeyboardInterrupt:
        return Outcome.ABORTED.value.exit_code
    except Exception as error:  # noqa: BLE001  # the one place where anything may arrive
        outcome = _unforeseen(error)
        if verbose:
            _traceback()
        return outcome.value.exit_code
    return code if isinstance(code, int) else 0


def _unforeseen(error: Exception) -> Outcome:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # as with >/dev/full
        _say(f"not everything could be written: {error.strerror}", "df -h")
        return Outcome.RESULTS
    _say(f"a bug of ours: {type(error).__name__}: {error}", "run it again with -v and report the traceback")
    return Outcome.BUG


def _say(message: str, hint: str) -> None:
    click.echo(f"e2e: {message}", err=True)
    if hint:
        click.echo(f"     try: {hint}", err=True)


def _traceback() -> None:
    import traceback

    traceback.print_exc()
