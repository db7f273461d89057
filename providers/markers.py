"""The markers of the suite's cases, as the plugin declares them and a config selects by them. Source: DESIGN section 8."""

from __future__ import annotations

MARKERS = (
    "sig(name): the special interest group that owns the behaviour; first part of the title",
    "conformance: follows an upstream conformance test",
    "serial: must not run beside other cases",
    "slow: takes more than ten seconds",
    "disruptive: disturbs what other users of the cluster do",
    "cluster_scoped: creates objects outside its namespace",
    "preempts: may evict pods of others",
    "requires(feature, ...): what the cluster must offer: pods-run, node-ssh, dns, storage, ...",
    "depends(component, ...): what must turn the case red when it is switched off",
    "needs(permission, ...): what the user must be allowed to do: pods, get,list nodes, create pods/eviction, get /metrics",
    "cite(source, ...): the upstream conformance test or document that the case follows",
)

# what pytest itself declares
_OF_PYTEST = ("filterwarnings", "parametrize", "skip", "skipif", "usefixtures", "xfail")

NAMES = (*(line.partition(":")[0].partition("(")[0] for line in MARKERS), *_OF_PYTEST)
