"""The line that a machine's shell gets for one command, and what is kept of its output. Pure functions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

KILL_AFTER_S = 5.0
TIMED_OUT = 124  # coreutils timeout(1)
TAIL_LINES = 40
TAIL_BYTES = 16 * 1024

# sshd gives users other than root no sbin, and output is parsed
_SURROUNDINGS = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8")
# sudo takes the password's line from stdin only if it wants one; what the command reads begins after the fence
_FENCE = "-- federated-e2e --"
_SKIP_TO_FENCE = 'while IFS= read -r line && [ "$line" != "$0" ]; do :; done; exec "$@"'


@dataclass(frozen=True, slots=True)
class Mark:
    """What every process on a machine carries in its environment: the run, and the session of ours that started it.

    By it a later session finds what was left running (providers/hosts/journal.sh).
    """

    run: str
    session: str

    def variables(self) -> tuple[str, str]:
        """Return the assignments."""
        return f"FEDERATED_E2E_RUN={self.run}", f"FEDERATED_E2E_SESSION={self.session}"


def remote_line(argv: Sequence[str], *, seconds: float, mark: Mark, sudo: bool, password: bool) -> str:
    """Return the shell line that runs ``argv`` as root for at most ``seconds``.

    timeout(1) runs on the machine, since a command outlives the connection it came by: sshd sends it no signal.
    """
    bounded = (
        "env",
        *_SURROUNDINGS,
        *mark.variables(),
        "timeout",
        f"--kill-after={KILL_AFTER_S:g}",
        f"{seconds:.3f}",
        *argv,
    )
    if not sudo:
        return shlex.join(bounded)
    if not password:
        return shlex.join(("sudo", "-n", "--", *bounded))
    # -k: a password remembered from before would leave ours to the command
    return shlex.join(("sudo", "-k", "-S", "-p", "", "--", "sh", "-c", _SKIP_TO_FENCE, _FENCE, *bounded))


def before_stdin(password: str) -> bytes:
    """Return what goes to stdin before the command's own input when sudo may ask for a password."""
    return f"{password}\n{_FENCE}\n".encode()


class Tail:
    """The last lines of an output: at most TAIL_LINES and TAIL_BYTES."""

    def __init__(self) -> None:
        self._kept = b""

    def add(self, chunk: bytes) -> None:
        """Append what was printed."""
        self._kept = (self._kept + chunk)[-TAIL_BYTES:]

    def text(self) -> str:
        """Return the lines; what is no UTF-8 is replaced."""
        return "\n".join(self._kept.decode("utf-8", "replace").splitlines()[-TAIL_LINES:])
