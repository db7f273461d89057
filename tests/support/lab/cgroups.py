"""The control groups of hosts: every process of a host is in them and nobody else's, however it was started."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from providers.contracts import Deadline
from upload.errors import ProviderError

TOP = Path("/sys/fs/cgroup")
POLL_S = 0.03


def hierarchies(top: Path = TOP) -> tuple[Path, ...]:
    """Return the tops of all trees: one for each controller (version 1, hybrid), or the only one (version 2)."""
    found = [top, *sorted(path for path in top.iterdir() if not path.is_symlink())]
    return tuple(path for path in found if (path / "cgroup.procs").exists() and path.is_mount())


def groups(pattern: str, top: Path = TOP) -> tuple[Path, ...]:
    """Return the groups at the tops whose names match ``pattern``, which may hold a ``*``."""
    return tuple(path for tree in hierarchies(top) for path in sorted(tree.glob(pattern)) if path.is_dir())


def freeze(name: str, *, frozen: bool, top: Path = TOP) -> None:
    """Stop or resume every process of one host. The kernel goes on: it accepts connections, and nobody answers."""
    for group in groups(name, top):
        if (group / "freezer.state").exists():
            (group / "freezer.state").write_text("FROZEN" if frozen else "THAWED", encoding="ascii")
        elif group.parent == top:  # version 2
            (group / "cgroup.freeze").write_text(str(int(frozen)), encoding="ascii")


def remove(pattern: str, *, deadline: Deadline, top: Path = TOP) -> None:
    """Kill every process in the groups whose names match ``pattern``, and remove the groups.

    Raises: ProviderError when some stay.
    """
    while remaining := groups(pattern, top):
        for name in {group.name for group in remaining}:
            freeze(name, frozen=False, top=top)  # a frozen process does not die
        for group in remaining:
            for pid in _members(group):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            _remove_empty(group)
        if deadline.remaining_s() <= 0:
            raise ProviderError(f"control groups do not go away: {', '.join(str(group) for group in remaining)}")
        time.sleep(POLL_S)


def _members(group: Path) -> Iterator[int]:
    for folder, _folders, _files in os.walk(group):
        with contextlib.suppress(OSError):  # gone meanwhile
            yield from map(int, (Path(folder) / "cgroup.procs").read_text(encoding="ascii").split())


def _remove_empty(group: Path) -> None:
    for folder, _folders, _files in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):  # not empty yet
            Path(folder).rmdir()
