"""What a Jenkins job installs: this version of the tool with what its configs need, and a party's own packages."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from typing import Final

DISTRIBUTION: Final = "federated-e2e"
EXTRAS: Final = frozenset({"gce", "azure"})  # those that are named as the provider that needs them
FEED: Final = "feed"


def requirements(extras: Iterable[str], packages: Iterable[str]) -> str:
    """Return requirements for pip, one a line, the tool first."""
    wanted = ",".join(sorted(set(extras)))
    tool = f"{DISTRIBUTION}[{wanted}]" if wanted else DISTRIBUTION
    return "\n".join([f"{tool}=={metadata.version(DISTRIBUTION)}", *sorted(set(packages))])
