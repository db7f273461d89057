"""Refuses hosts that the machine has no room for, before any of them starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

from tests.support.lab.values import GIB
from upload.errors import ProviderError

# what a host of a small cluster comes to: a control plane 0.6 GB resident and 2.1 GB of disk, a worker less
MEMORY_BYTES = GIB * 3 // 4
DISK_BYTES = 2 * GIB


def check_room(folder: Path, count: int) -> None:
    """Raise ProviderError unless memory and the disk of ``folder`` have room for ``count`` more hosts."""
    memory_bytes = psutil.virtual_memory().available
    disk_bytes = shutil.disk_usage(folder).free
    for what, has, each in (("memory", memory_bytes, MEMORY_BYTES), (f"the disk of {folder}", disk_bytes, DISK_BYTES)):
        if has < count * each:
            needs, free = count * each / GIB, has / GIB
            raise ProviderError(f"{count} more hosts need about {needs:.1f} GiB of {what}; {free:.1f} GiB are free")
