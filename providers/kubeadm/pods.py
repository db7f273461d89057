"""Connects the pods of all nodes, once the cluster gave each of them its network."""

from __future__ import annotations

from pathlib import Path

from providers._usable import wait_until
from providers.api import Api
from providers.kubeadm.init import KUBECTL
from providers.kubeadm.network import WHAT, lay
from providers.kubeadm.site import Site

APPLY_S = 60.0
LOOK_S = 1.0


def connect(site: Site) -> None:
    """Lay the network on every machine, or have the user's manifest do it; nodes are ready once it did."""
    plan = site.plan
    if plan.manifest:
        _apply(site, plan.manifest)
        return
    lay(site.markers, _cidrs(site), network=plan.network, pod_cidr=plan.pod_cidr, deadline=site.ctx.deadline)


def _apply(site: Site, manifest: Path) -> None:
    """Apply a manifest: again for a while, since kinds that it defines are not known at once."""
    # what a controller changed since the last time is the manifest's again
    argv = (*KUBECTL, "apply", "--server-side", "--force-conflicts", "--filename", "-")

    def refused() -> str:
        site.run(site.first, WHAT, *argv, stdin=manifest)
        return ""

    wait_until(WHAT, refused, site.ctx.deadline.at_most(APPLY_S, "the manifest"), every_s=LOOK_S)


def _cidrs(site: Site) -> dict[str, str]:
    """Return node name → the network of its pods, once the controller manager gave it one: joining does not wait for it."""
    cidrs: dict[str, str] = {}

    def lacking(api: Api) -> str:
        for page in api.pages("/api/v1/nodes"):
            cidrs.update({n["metadata"]["name"]: n["spec"]["podCIDR"] for n in page if n["spec"].get("podCIDR")})
        return ", ".join(f"{name} has no pod network" for name in site.markers if name not in cidrs)

    with site.api() as api:
        wait_until(WHAT, lambda: lacking(api), site.ctx.deadline)
    return cidrs
