"""``e2e ssh``: a terminal on a machine of a run."""

from __future__ import annotations

import click

from e2e.cli._options import RunParam


@click.command(name="ssh")
@click.argument("run", type=RunParam(), metavar="RUN")
@click.argument("node")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def command(run: str, node: str, words: tuple[str, ...]) -> None:
    """Open a terminal on a machine of a run, or run a command there.

    The system's ssh does it, with user, key and jump host of the run; a machine may only show the host key that the run
    knows. COMMAND is read by the machine's shell. The exit code is the command's, or 255 where ssh itself fails.

    \b
    e2e ssh ci-kubernetes-e2e-machines cp1
    e2e ssh ci-kubernetes-e2e-machines cp1 -- sudo journalctl -u kubelet
    """  # noqa: D301  # click wants the character, not its name
    import os
    import sys

    from e2e.cli._later import find_live
    from e2e.lifecycle.folder import RunFolder
    from e2e.lifecycle.login import prepare_login
    from e2e.settings import current_settings
    from upload.errors import UsageError

    settings = current_settings()
    folder = RunFolder(settings.state / "runs" / find_live(run))
    login = prepare_login(folder, node, settings.variables)
    program, *rest = login.argv
    # a command that draws needs a terminal, and output that is piped on must come as it is
    terminal = ["-t"] if words and sys.stdin.isatty() and sys.stdout.isatty() else []
    try:
        os.execvpe(program, [program, *terminal, *rest, *words], dict(login.env))  # noqa: S606  # the person's own ssh
    except OSError as exc:
        raise UsageError(f"ssh cannot be started: {exc.strerror}", hint="apt-get install openssh-client") from exc
