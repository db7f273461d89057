from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from providers.ssh.command import TAIL_BYTES, TAIL_LINES, Mark, Tail, before_stdin, remote_line

BOUNDED = (
    "env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 FEDERATED_E2E_RUN=job-1 FEDERATED_E2E_SESSION=s1"
    " timeout --kill-after=5 9.500 "
)


@pytest.mark.parametrize(
    ("sudo", "password", "line"),
    [
        (False, False, f"{BOUNDED}cat '/a b'"),
        (True, False, f"sudo -n -- {BOUNDED}cat '/a b'"),
        (
            True,
            True,
            (
                'sudo -k -S -p \'\' -- sh -c \'while IFS= read -r line && [ "$line" != "$0" ]; do :; done; exec "$@"\''
                f" '-- federated-e2e --' {BOUNDED}cat '/a b'"
            ),
        ),
    ],
    ids=["root", "sudo", "sudo with a password"],
)
def test_the_line_that_a_shell_gets(sudo: bool, password: bool, line: str) -> None:
    assert remote_line(("cat", "/a b"), seconds=9.5, mark=Mark("job-1", "s1"), sudo=sudo, password=password) == line


@pytest.mark.parametrize("consumes", [True, False], ids=["sudo asks", "sudo does not ask"])
def test_the_password_never_reaches_the_command(consumes: bool, tmp_path: Path) -> None:
    """sudo reads one line only if it wants a password, and the command reads what comes after it in both cases."""
    sudo = tmp_path / "sudo"
    sudo.write_text(f'#!/bin/sh\n{"IFS= read -r password" if consumes else ":"}\nshift 5\nexec "$@"\n')
    sudo.chmod(0o755)
    line = remote_line(("cat",), seconds=9, mark=Mark("r", "s"), sudo=True, password=True)

    done = subprocess.run(
        ["sh", "-c", line],
        input=before_stdin("se'cret") + b"mine\n\0end",
        capture_output=True,
        timeout=20,
        check=True,
        env={"PATH": f"{tmp_path}:{os.defpath}"},
    )

    assert done.stdout == b"mine\n\0end"


def test_a_tail_keeps_the_last_lines_and_bytes() -> None:
    tail = Tail()
    for number in range(100):
        tail.add(f"{number}\n".encode())
    assert tail.text().splitlines() == [str(n) for n in range(100 - TAIL_LINES, 100)]

    tail.add(b"x" * (2 * TAIL_BYTES))
    assert tail.text() == "x" * TAIL_BYTES
