"""``e2e dump``: logs and objects of a cluster that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from e2e.cli._options import log_options, run_argument

if TYPE_CHECKING:
    from e2e.lifecycle.run import Run


@click.command(name="dump")
@run_argument
@log_options
def command(run: str | None, *, log_format: str, verbose: bool) -> int:
    """Collect logs, objects, events and versions of a cluster that is up, without its secrets; prints the folder."""
    from dataclasses import replace

    from e2e.cli._later import find_live, go_on
    from e2e.lifecycle.attach import Later

    def start_over(run_: Run) -> None:
        run_.change(lambda state: replace(state, finished_steps=_without_dump(state.finished_steps)))

    name = find_live(run)
    done, code = go_on(name, Later("dump"), log_format=log_format, verbose=verbose, first=start_over)
    if not code:
        click.echo(str(done.artifacts / "cluster"))
    return code


def _without_dump(steps: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(step for step in steps if step != "dump")
