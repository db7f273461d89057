"""Connects the pods of all nodes: the standard CNI plugins on each, and static routes between them. No daemon."""

from __future__ import annotations

from providers._usable import wait_until
from providers.api import Api
from providers.hosts.marker import Marker
from providers.kubeadm.conflist import conflist
from providers.kubeadm.site import Site

WHAT = "Pod network"
CHAIN = "E2E-PODS"
CONFLIST = "/etc/cni/net.d/10-federated-e2e.conflist"


def connect(site: Site) -> None:
    """Lay the network on every machine."""
    cidrs = _cidrs(site)

    def on(marker: Marker) -> None:
        own = marker.node.name
        for name, other in site.markers.items():
            if name != own:
                marker.add_route(cidrs[name], "via", other.node.addresses[0])
        rules = [("-s", site.plan.pod_cidr, "!", "-d", site.plan.pod_cidr, "-j", "MASQUERADE")]
        marker.fill_chain("nat", CHAIN, parent="POSTROUTING", rules=rules)
        marker.write_file(CONFLIST, conflist(cidrs[own], mtu=1450).encode())

    site.each(on, WHAT)


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
