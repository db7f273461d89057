"""Settings of the whole machine that a lab or a kubelet in a host changes: kept when the first starts, put back after the last.

Source of what a kubelet changes: ``setupKernelTunables`` in ``pkg/kubelet/cm/container_manager_linux.go``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

CHANGED = (
    "fs/inotify/max_user_instances",
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
SYSCTL = Path("/proc/sys")
# all hosts are root's on one kernel, and each takes some fifteen: what is enough for a machine is not for eight of them
WANTED = {"fs/inotify/max_user_instances": 1024}


def read_settings(top: Path = SYSCTL) -> dict[str, str]:
    """Return the settings as they are, name → value, without those that this kernel lacks."""
    return {name: (top / name).read_text(encoding="ascii").strip() for name in CHANGED if (top / name).exists()}


def restore_settings(kept: Mapping[str, str], top: Path = SYSCTL) -> tuple[str, ...]:
    """Write back what differs, and return the names of those."""
    now = read_settings(top)
    changed = tuple(name for name in CHANGED if name in kept and name in now and now[name] != kept[name])
    for name in changed:
        (top / name).write_text(f"{kept[name]}\n", encoding="ascii")
    return changed


def keep(file: Path, boot: str, top: Path = SYSCTL) -> None:
    """Write the settings down, unless they were since the machine started: then a lab may have changed them already.

    Then raise those that many hosts need.
    """
    if _kept(file, boot) is None:
        part = file.with_suffix(".part")
        part.write_text(json.dumps({"boot": boot, "settings": read_settings(top)}), encoding="utf-8")
        part.replace(file)
    for name, least in WANTED.items():
        if (top / name).exists() and int((top / name).read_text(encoding="ascii")) < least:
            (top / name).write_text(f"{least}\n", encoding="ascii")


def put_back(file: Path, boot: str, top: Path = SYSCTL) -> None:
    """Restore what ``keep`` wrote in this boot of the machine, and forget it."""
    if kept := _kept(file, boot):
        restore_settings(kept, top)
    file.unlink(missing_ok=True)


def _kept(file: Path, boot: str) -> dict[str, str] | None:
    try:
        told = json.loads(file.read_bytes())
        return dict(told["settings"]) if told["boot"] == boot else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
