"""What the suite's user must be allowed to do on a cluster of strangers, asked before the first case.

Source: DESIGN section 5, ``existing``. A suite that lacks a permission would fail case by case, and late.
"""

from __future__ import annotations

from collections.abc import Iterable

from providers.access import Need, missing_permissions
from providers.contracts import Cluster
from upload.errors import ProviderError

WORKLOADS = {
    "": ("configmaps", "endpoints", "pods", "resourcequotas", "secrets", "serviceaccounts", "services"),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("rolebindings", "roles"),
}
CLUSTER_SCOPED = {
    "": ("nodes",),
    "admissionregistration.k8s.io": ("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "rbac.authorization.k8s.io": ("clusterrolebindings", "clusterroles"),
    "scheduling.k8s.io": ("priorityclasses",),
}


def needs(allowed: Iterable[str]) -> tuple[Need, ...]:
    """Return the permissions of the cases that may run: those of every case, and those that ``allowed`` opts in to."""
    always = (
        *(Need(verb, "namespaces") for verb in ("create", "delete", "get", "list")),
        Need("list", "nodes"),
        *_writes(WORKLOADS),
    )
    return (*always, *_writes(CLUSTER_SCOPED)) if "cluster_scoped" in set(allowed) else always


def check_permissions(cluster: Cluster) -> None:
    """Raise ProviderError that names every missing permission, with the command that shows one of them."""
    missing = missing_permissions(cluster.kubeconfig, needs(cluster.allow))
    if missing:
        names = "; ".join(str(need) for need in missing)
        raise ProviderError(
            f"the user of {cluster.name} may not: {names}",
            hint=f"kubectl --kubeconfig {cluster.kubeconfig} auth can-i {missing[0]}",
        )


def _writes(kinds: dict[str, tuple[str, ...]]) -> tuple[Need, ...]:
    return tuple(
        Need(verb, resource, group=group)
        for group, resources in kinds.items()
        for resource in resources
        for verb in ("create", "delete", "patch")
    )
