"""``e2e kubeconfig``: the path of a run's kubeconfig."""

from __future__ import annotations

import click

from e2e.cli._options import run_argument


@click.command(name="kubeconfig")
@run_argument
def command(run: str | None) -> None:
    """Print the path of a run's kubeconfig: the newest run whose cluster is up unless RUN is given.

    \b
    kubectl --kubeconfig "$(e2e kubeconfig)" get nodes
    """  # noqa: D301  # click wants the character, not its name
    from e2e.lifecycle.attach import cluster_of
    from e2e.settings import current_settings

    click.echo(str(cluster_of(current_settings().state, run).kubeconfig))
