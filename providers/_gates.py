"""Holds components back until the API server can serve them.

Started at once, as kwokctl does it, they fight the API server for the processor and then meet it too early: the controller
manager gives up after 10 s, kwok asks again only after 1, 2, 4, 8 s. So kwokctl is given a script in the place of each,
which waits for a file and then becomes the program.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

SERVED = "served"  # the API server answers
READY = "ready"  # and its start-up hooks are done, which the controller manager insists on
_GATES = {"kwok": SERVED, "kube-scheduler": SERVED, "kube-controller-manager": READY}
_SCRIPT = """#!/bin/sh
if [ "$1" != --version ]; then
  while [ ! -e {gate} ]; do sleep 0.05; done
fi
exec {program} "$@"
"""


def hold_back(programs: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """Return ``programs`` with a waiting script in ``folder`` for those that need the API server. Raises: OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    held = dict(programs)
    for name, gate in _GATES.items():
        script = folder / name
        script.write_text(
            _SCRIPT.format(gate=shlex.quote(str(folder / gate)), program=shlex.quote(str(programs[name])))
        )
        script.chmod(0o700)
        held[name] = script
    return held


def let_go(folder: Path, gate: str) -> None:
    """Let the components start that wait for ``gate``. Raises: OSError."""
    (folder / gate).touch(mode=0o600)
