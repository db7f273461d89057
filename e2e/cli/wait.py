"""``e2e wait``: until a run has ended."""

from __future__ import annotations

import click

from e2e.cli._options import Duration, run_argument

POLL_S = 0.5


@click.command(name="wait")
@run_argument
@click.option(
    "--timeout", type=Duration(), metavar="TIME", help="How long to wait, such as 30m. Default: as long as it takes."
)
def command(run: str | None, *, timeout: int | None) -> int:
    """Wait until a run has ended; exit with its verdict: the newest run unless RUN is given.

    A run whose process is gone without an end is an error of its own; 124 when the time is over.
    """
    import time

    from e2e.lifecycle.attach import find_run
    from e2e.lifecycle.report import condition
    from e2e.settings import current_settings
    from upload.errors import DeadlineExceeded, UsageError

    folder = find_run(current_settings().state, run, wanted=lambda _state: True)
    began = time.monotonic()
    while folder.is_held():
        if timeout is not None and time.monotonic() - began >= timeout:
            raise DeadlineExceeded(f"waiting for {folder.name}", timeout)
        time.sleep(POLL_S)
    state = folder.read()
    said = condition(folder, state, now_s=time.time())
    if not state.is_ended:
        raise UsageError(f"{state.run}: {said}")
    click.echo(f"{state.run}: {said}")
    return state.outcome.value.exit_code
