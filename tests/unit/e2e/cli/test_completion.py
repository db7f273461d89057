"""Completion: the scripts of three shells, and what they are told about verbs and jobs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from e2e.cli import VERBS, cli

ROOT = Path(__file__).parents[4]


def complete(*words: str) -> list[str]:
    """Return what bash is told for a line whose last word is being typed."""
    program = [sys.executable, "-c", "from e2e.cli import main; main()"]
    asked = {"_E2E_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        program, env={**os.environ, **asked}, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "_E2E_COMPLETE=bash_complete"),
        ("zsh", "_E2E_COMPLETE=zsh_complete"),
        ("fish", "_E2E_COMPLETE=fish_complete"),
    ],
)
def test_script_calls_back_into_e2e(shell: str, line: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell], prog_name="e2e")

    assert result.exit_code == 0
    assert line in result.stdout


def test_unknown_shell_is_a_usage_error() -> None:
    assert CliRunner().invoke(cli, ["completion", "csh"], prog_name="e2e").exit_code == 2


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


IN_BASH = """
eval "$1"; COMP_WORDS=(e2e run local-); COMP_CWORD=2; _e2e_completion e2e local- run
printf "%s\\n" "${COMPREPLY[@]}"
"""
# zsh's builtin that takes the candidates works in its line editor only: another one prints them
IN_ZSH = """
autoload -Uz compinit; compinit -D -u; eval "$1"
compadd() { print -rl -- $completions }
words=(e2e run local-); CURRENT=3; ${_comps[e2e]}
"""


@pytest.mark.parametrize(
    ("shell", "argv"),
    [
        pytest.param("bash", ("-euc", IN_BASH, "bash"), marks=needs("bash"), id="bash"),
        pytest.param("zsh", ("-fc", IN_ZSH, "zsh"), marks=needs("zsh"), id="zsh"),
        pytest.param("fish", ("-c", 'source (echo $argv[1] | psub); complete -C "e2e run local-"'), marks=needs("fish"), id="fish"),
    ],
)  # fmt: skip
def test_shell_completes_a_job(shell: str, argv: tuple[str, ...], tmp_path: Path) -> None:
    script = CliRunner().invoke(cli, ["completion", shell], prog_name="e2e").stdout
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"

    done = subprocess.run(
        [shell, *argv, script], cwd=ROOT, env={"HOME": str(tmp_path), "PATH": path}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["local-full", "local-skew"]


def test_verbs_are_completed() -> None:
    assert complete("e2e", "ch") == ["plain,check"]
    assert "check" in VERBS


def test_jobs_are_completed_by_stem_and_by_job_value() -> None:
    assert complete("e2e", "check", "local-") == ["plain,local-full", "plain,local-skew"]
    assert complete("e2e", "check", "ci-kubernetes-e2e-local-s") == ["plain,ci-kubernetes-e2e-local-skew"]


def test_path_is_left_to_the_shell() -> None:
    assert complete("e2e", "check", "./prov") == ["file,./prov"]


def test_options_are_completed() -> None:
    assert complete("e2e", "check", "--res") == ["plain,--resolved"]
