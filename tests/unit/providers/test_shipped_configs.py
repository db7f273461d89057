"""Every config in the tree is sound: this is what a pull request that adds one is held to."""

from __future__ import annotations

from click.testing import CliRunner

from e2e.cli import cli


def test_every_config_in_the_tree_passes_the_check() -> None:
    result = CliRunner().invoke(cli, ["check"])

    assert result.exit_code == 0, result.output
