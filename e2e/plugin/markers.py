"""The markers of a case, and when a cluster cannot or may not run it. Source: DESIGN section 8."""

from __future__ import annotations

from collections.abc import Iterable

from providers.contracts import Cluster

TITLE_FLAGS = ("conformance", "serial", "slow", "disruptive")  # in this order at the end of a title

# what a cluster of strangers must allow (Cluster.allow) before a case with this marker runs
CONSENT = ("cluster_scoped", "disruptive", "preempts")
CONSENT_OF_FEATURE = {"node-ssh": "node_ssh"}

TWO_NODES = "two-nodes"  # no cluster declares it: it is counted

# why a whole kind of cluster lacks a feature, for the reader of a skip
EXPLAINED = {"pods-run": "hollow nodes"}


def reason_to_skip(cluster: Cluster, *, markers: Iterable[str], required: Iterable[str]) -> str:
    """Return why a case cannot run on this cluster, or an empty string.

    ``markers``: names of the case's markers; ``required``: features from ``requires(...)``.
    """
    wanted = sorted(set(required))
    has = {*cluster.features, *([TWO_NODES] if len(cluster.nodes) > 1 else [])}
    missing = [f"{name} ({EXPLAINED[name]})" if name in EXPLAINED else name for name in wanted if name not in has]
    if missing:
        return f"cluster {cluster.name} lacks {', '.join(missing)}"
    present = set(markers)
    needed = {name for name in CONSENT if name in present}
    needed |= {CONSENT_OF_FEATURE[name] for name in wanted if name in CONSENT_OF_FEATURE}
    refused = sorted(needed - cluster.allow)
    if refused:
        return f"cluster {cluster.name} does not allow {', '.join(refused)} (provider.allow opts in)"
    return ""
