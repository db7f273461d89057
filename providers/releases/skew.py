"""Which versions of Kubernetes go together: how old kubelets may be, and what a cluster may be upgraded to.

Source: kubernetes.io/releases/version-skew-policy (kubelets, upgrades); semver.org section 11 (order).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from providers.releases.forms import EXACT
from providers.releases.sources import PINNED

KUBELETS_OLDER = 3  # minor versions
_PARTS = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-([^+]+))?")


def plain_version(kubernetes: str) -> str:
    """Return the version that ``kubernetes`` of a config means without asking anybody, or an empty text."""
    if kubernetes == "pinned":
        return PINNED
    return kubernetes if EXACT.fullmatch(kubernetes) else ""


def kubelet_wanted(cluster: str, kubelet: str) -> str:
    """Return which kubelets a cluster of this version takes, when ``kubelet`` is none of them; else an empty text."""
    major, minor, *_ = _order(cluster)
    oldest = max(0, minor - KUBELETS_OLDER)
    if (major, oldest) <= _order(kubelet)[:2] <= (major, minor):
        return ""
    return f"a kubelet of v{major}.{oldest} to v{major}.{minor} for a cluster of {cluster}"


def upgrade_wanted(cluster: str, upgrade_to: str) -> str:
    """Return what a cluster of this version may be upgraded to, when ``upgrade_to`` is none of it; else an empty text."""
    major, minor, *_ = _order(cluster)
    if _order(upgrade_to) >= _order(cluster) and _order(upgrade_to)[:2] <= (major, minor + 1):
        return ""
    return f"{cluster} or newer, at most v{major}.{minor + 1}"


# key of ``cluster:`` -> its rule
SKEWS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "kubelet_version": kubelet_wanted,
    "upgrade_to": upgrade_wanted,
}

_Order = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def _order(version: str) -> _Order:
    """Return what versions are compared by: a release comes behind everything that precedes it, as rc.1 does."""
    found = _PARTS.match(version)
    assert found, version
    major, minor, patch = (int(part) for part in found.group(1, 2, 3))
    before = found.group(4)
    words = tuple((not w.isdigit(), int(w) if w.isdigit() else 0, w) for w in before.split(".")) if before else ()
    return major, minor, patch, not before, words
