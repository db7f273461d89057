"""Which versions of Kubernetes go together: how old kubelets may be.

Source: kubernetes.io/releases/version-skew-policy (kubelets).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from providers.releases.forms import EXACT
from providers.releases.sources import PINNED

KUBELETS_OLDER = 3  # minor versions


def plain_version(kubernetes: str) -> str:
    """Return the version that ``kubernetes`` of a config means without asking anybody, or an empty text."""
    if kubernetes == "pinned":
        return PINNED
    return kubernetes if EXACT.fullmatch(kubernetes) else ""


def kubelet_wanted(cluster: str, kubelet: str) -> str:
    """Return which kubelets a cluster of this version takes, when ``kubelet`` is none of them; else an empty text."""
    major, minor = _minor(cluster)
    oldest = max(0, minor - KUBELETS_OLDER)
    if (major, oldest) <= _minor(kubelet) <= (major, minor):
        return ""
    return f"a kubelet of v{major}.{oldest} to v{major}.{minor} for a cluster of {cluster}"


# key of ``cluster:`` -> its rule
SKEWS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "kubelet_version": kubelet_wanted,
}


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.removeprefix("v").split(".")[:2]
    return int(major), int(minor)
