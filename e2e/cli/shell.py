"""``e2e shell``: a shell that talks to a run's cluster."""

from __future__ import annotations

import click

from e2e.cli._options import run_argument


@click.command(name="shell")
@run_argument
@click.option("-c", "line", metavar="COMMAND", help="Run this command line and leave.")
def command(run: str | None, *, line: str | None) -> None:
    """Open a shell with a run's kubeconfig and its kubectl: the newest run whose cluster is up unless RUN is given."""
    import os

    from e2e.lifecycle.attach import cluster_of
    from e2e.settings import current_settings
    from upload.errors import UsageError

    settings = current_settings()
    facts = cluster_of(settings.state, run)
    env = {**settings.variables, "KUBECONFIG": str(facts.kubeconfig)}
    if facts.kubectl is not None:
        env["PATH"] = f"{facts.kubectl.parent}{os.pathsep}{env.get('PATH', '')}"
    shell = env.get("SHELL", "/bin/sh")
    try:
        os.execve(shell, [shell, "-c", line] if line else [shell], env)  # noqa: S606  # the user's own shell
    except OSError as exc:
        raise UsageError(f"{shell} cannot be started: {exc.strerror}", hint="export SHELL=/bin/sh") from exc
