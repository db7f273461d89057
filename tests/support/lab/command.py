"""Run one program of the machine to its end."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from upload.errors import CommandError, DeadlineExceeded, ProviderError

TAIL_CHARS = 2000
MOMENT_S = 30.0


def run(
    *argv: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout_s: float = MOMENT_S,
    of_this_thread: Sequence[str] = (),
) -> str:
    """Return what a program wrote to stdout. ``of_this_thread`` is put before ``argv`` and left out of errors.

    Raises: CommandError with the end of its output, DeadlineExceeded, ProviderError when there is no such program.
    """
    try:
        done = subprocess.run(
            [*of_this_thread, *argv],
            input=stdin,
            env=None if env is None else dict(env),
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise DeadlineExceeded(argv[0], timeout_s) from exc
    except OSError as exc:
        raise ProviderError(f"{argv[0]} cannot be started: {exc.strerror or exc}") from exc
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")[-TAIL_CHARS:]
        raise CommandError(argv, done.returncode, said)
    return done.stdout.decode(errors="replace")
