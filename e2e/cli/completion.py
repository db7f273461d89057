"""``e2e completion``: the script that makes a shell complete verbs, options, job names and paths."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_E2E_COMPLETE"  # what click's machinery looks for under the program's name


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for bash, zsh or fish.

    \b
    bash   eval "$(e2e completion bash)"                       in ~/.bashrc
    zsh    eval "$(e2e completion zsh)"                        in ~/.zshrc, after compinit
    fish   e2e completion fish > ~/.config/fish/completions/e2e.fish
    """  # noqa: D301  # click wants the character, not its name
    from e2e.cli import cli

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, "e2e", _VARIABLE).source())
