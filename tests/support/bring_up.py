"""Runs ``LocalProvider.up`` in a process of its own, to be killed or timed: ``python -m tests.support.bring_up``.

Arguments: the cluster's folder, the folder of the programs, the version.
"""

from __future__ import annotations

import sys
from pathlib import Path

from providers.contracts import ClusterSpec
from providers.local import LocalProvider, LocalSettings
from providers.testing import FolderBinaries, make_context

if __name__ == "__main__":
    folder, programs, version = sys.argv[1:]
    context = make_context(Path(folder), FolderBinaries(Path(programs), version))
    LocalProvider(LocalSettings()).up(ClusterSpec(nodes=1), context)
