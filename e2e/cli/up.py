"""``e2e up``: a cluster that stays."""

from __future__ import annotations

import click

from e2e.cli._job import JobParam
from e2e.cli._options import log_options


@click.command(name="up")
@click.argument("job", type=JobParam())
@click.option("--offline", is_flag=True, help="Open no network; a version that must be looked up is the pinned one.")
@log_options
def command(job: str, *, offline: bool, log_format: str, verbose: bool) -> int:
    """Bring a cluster up and leave it. Prints the RUN that test, dump, down and kubeconfig take.

    Nothing is published. A cluster that does not come up is dumped and taken down again.

    \b
    e2e up local && e2e test --focus Deployment && e2e down
    """  # noqa: D301  # click wants the character, not its name
    from e2e.lifecycle.begin import Order, begun
    from e2e.lifecycle.display import make_display
    from e2e.lifecycle.sequence import conduct
    from e2e.lifecycle.state import Keep
    from e2e.lifecycle.summary import failure_lines
    from e2e.settings import current_settings
    from providers.config import default_search, load_job
    from upload.errors import Outcome

    loaded = load_job(job, search=default_search())
    order = Order(ref=job, job=loaded.config, command="up", keep=Keep.ON_SUCCESS, offline=offline)
    display = make_display(log_format, verbose=verbose)
    try:
        with begun(order, current_settings(), display) as run:
            outcome = conduct(run, "up")
            for line in failure_lines(run.all_failures):
                run.recorder.note(line)
    finally:
        display.close()
    if outcome is Outcome.PASSED:
        click.echo(run.state.run)
    return outcome.value.exit_code
