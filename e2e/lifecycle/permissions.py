"""The gate of a cluster of strangers: what the selected cases need and the suite's user may not do, before the first case.

Source: DESIGN section 5, ``existing``. A suite that lacks a permission would fail case by case, and late.
"""

from __future__ import annotations

from collections.abc import Iterable

from e2e.lifecycle.testers import Host, KnowsNeeds, SuitePlan, Tester
from providers.access import Need, missing_permissions
from providers.contracts import Cluster
from upload.errors import ProviderError

# of a tester that cannot tell what its cases need
LEAST = (*(Need(verb, "namespaces") for verb in ("create", "delete", "get", "list")), Need("list", "nodes"))


def needs_of(tester: Tester, plan: SuitePlan, host: Host) -> tuple[Need, ...]:
    """Return what the tester's selected cases need, or the least that any suite does."""
    return tester.needs(plan, host) if isinstance(tester, KnowsNeeds) else LEAST


def check_permissions(cluster: Cluster, needs: Iterable[Need]) -> None:
    """Raise ProviderError that names every missing permission, with the command that shows one of them."""
    missing = missing_permissions(cluster.kubeconfig, needs)
    if missing:
        names = "; ".join(str(need) for need in missing)
        raise ProviderError(
            f"the user of {cluster.name} may not: {names}",
            hint=f"kubectl --kubeconfig {cluster.kubeconfig} auth can-i {missing[0]}",
        )
