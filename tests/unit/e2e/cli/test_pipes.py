"""A reader that goes away must not look like failed cases."""

from __future__ import annotations

import subprocess
import sys

from upload.errors import Outcome


def test_closed_pipe_is_no_verdict() -> None:
    process = subprocess.Popen([sys.executable, "-m", "e2e", "check", "--schema"], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.close()

    assert process.wait(timeout=60) == Outcome.ABORTED.value.exit_code
