"""What a machine must have for the lab, and what of it this one lacks."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from upload.errors import ProviderError

# program -> Debian package
PROGRAMS = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "mksquashfs": "squashfs-tools",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "tar": "tar",
    "unshare": "util-linux",
}
# capability -> its bit in /proc/PID/status; what a container without --privileged lacks
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27}
LOOP = Path("/dev/loop-control")


def missing() -> tuple[str, ...]:
    """Return what stands between this machine and a lab, each with what mends it; empty when nothing does."""
    if sys.platform != "linux":
        return ("the lab needs Linux",)
    if os.geteuid() != 0:
        return ("the lab needs root: run it with sudo",)
    absent = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    held = effective_capabilities(Path("/proc/self/status").read_text(encoding="ascii"))
    lacking = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    said = []
    if absent:
        said.append(f"programs are missing: apt-get install {' '.join(absent)}")
    if lacking:
        said.append(f"root lacks {', '.join(lacking)}: in a container, start it with --privileged")
    elif not LOOP.exists():
        said.append(f"{LOOP} is missing: modprobe loop")
    return tuple(said)


def require_all() -> None:
    """Raise ProviderError saying what is missing, if anything is."""
    if lacks := missing():
        raise ProviderError(f"there can be no lab here: {'; '.join(lacks)}")


def effective_capabilities(status: str) -> int:
    """Return the bits of ``CapEff`` in the text of a ``/proc/PID/status``; 0 when it has none."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return int(found[1], 16) if found else 0
