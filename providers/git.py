"""Asks git, with nothing that a hook or a caller's checkout put into the environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from upload.errors import UsageError

PATIENCE_S = 60.0
# what git sets for its hooks, and what would win over the folder; a caller's settings (GIT_CONFIG_…) count
_OF_A_CHECKOUT = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "COMMON_DIR", "INDEX_FILE", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES"),
        *("NAMESPACE", "PREFIX", "CEILING_DIRECTORIES"),
    )
)


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one folder. ``env``: what it is started with; ``hint``: what to do when it does not answer."""

    folder: Path
    env: Mapping[str, str] = field(repr=False)
    hint: str = ""

    def ask(self, *words: str, given: Sequence[str] = ()) -> bytes:
        """Return what a command prints. ``given``: lines for its standard input. Raises: UsageError."""
        own = {name: value for name, value in self.env.items() if name not in _OF_A_CHECKOUT} | {"LC_ALL": "C"}
        argv = ["git", "--no-optional-locks", "-C", str(self.folder), *words]
        fed = "".join(f"{line}\n" for line in given).encode()
        try:
            done = subprocess.run(argv, input=fed, capture_output=True, env=own, timeout=PATIENCE_S, check=False)
        except FileNotFoundError as exc:
            raise UsageError("git is not installed", hint=self.hint) from exc
        except subprocess.TimeoutExpired as exc:
            raise UsageError(f"{self.folder}: git took more than {PATIENCE_S:.0f} s", hint=self.hint) from exc
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            first = said[0] if said else f"git ended with code {done.returncode}"
            raise UsageError(f"{self.folder}: {first}", hint=self.hint)
        return done.stdout

    def text(self, *words: str) -> str:
        """Return what a command prints, without blanks around it. Raises: UsageError."""
        return self.ask(*words).decode("utf-8", "replace").strip()
