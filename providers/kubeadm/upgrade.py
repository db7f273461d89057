"""Upgrades a cluster that is up by ``kubeadm upgrade``: the control planes one after the other, then the workers.

Source: kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade.
"""

from __future__ import annotations

from collections.abc import Callable

from providers._usable import wait_until
from providers.api import Api
from providers.hosts.marker import Marker
from providers.kubeadm import images, programs, ready
from providers.kubeadm.documents import upgrade_document
from providers.kubeadm.init import KUBECTL, with_kubelet_log
from providers.kubeadm.programs import BIN
from providers.kubeadm.site import Site
from upload.errors import StepError

WHAT = "Upgrade"
BEGUN = "/etc/kubernetes/.e2e-upgrade"  # on the first machine; below a tree that is taken away with the cluster
DONE = "/etc/kubernetes/.e2e-upgraded"  # on each machine, with its version
DRAIN_S = 180
TRIES = 3
_UPGRADE = 'cat | "$0" upgrade "$@" --config /dev/stdin >&2'
_IS_BEGUN = f"[ ! -e {BEGUN} ] || echo begun"


def is_begun(site: Site) -> bool:
    """Say whether an upgrade of the cluster was begun: every action for the version before was done then."""
    return site.run(site.first, WHAT, "sh", "-c", _IS_BEGUN).strip() == "begun"


def upgrade(site: Site) -> None:
    """Bring every machine to the version of ``site``, and wait until the cluster is ready again.

    Goes on where a killed one was: a machine that is done is left alone, and kubeadm begins a half-done one again.
    Raises: StepError that holds the kubelet's last lines; ProviderError for an archive that lacks an image.
    """
    site.run(site.first, WHAT, "touch", BEGUN)
    programs.put(site, ("kubeadm",))
    images.supply(site)
    for marker in (*site.control_planes, *site.workers):  # one drained machine at a time
        with site.ctx.steps.step(f"{WHAT} {marker.node.name}"):
            _upgrade(site, marker)
    with site.api() as api:
        wait_until("Nodes upgraded", lambda: _old(api, site.plan.version), site.ctx.deadline)
    ready.wait(site)


def _upgrade(site: Site, marker: Marker) -> None:
    version, name = site.plan.version, marker.node.name
    if site.run(marker, WHAT, "sh", "-c", 'cat "$1" 2>/dev/null || true', "cat", DONE).strip() == version:
        return
    words = ("apply", "--yes") if marker is site.first else ("node",)
    document = upgrade_document(site.plan).encode()
    with with_kubelet_log(site, marker, "kubeadm upgrade"):
        argv = ("sh", "-c", _UPGRADE, f"{BIN}/kubeadm", *words)
        _steadily(site, lambda: site.run(marker, "kubeadm upgrade", *argv, stdin=document))
    flags = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--timeout={DRAIN_S}s")
    _steadily(site, lambda: site.run(site.first, "Drain", *KUBECTL, "drain", name, *flags))
    programs.put(site, ("kubelet", "kubectl"), (marker,))
    site.run(marker, WHAT, "systemctl", "restart", "kubelet")
    _steadily(site, lambda: site.run(site.first, "Uncordon", *KUBECTL, "uncordon", name))
    site.run(marker, WHAT, "sh", "-c", 'cat > "$1"', "write", DONE, stdin=version.encode())


def _steadily(site: Site, act: Callable[[], object]) -> None:
    """Do what may be done twice, again if it fails, each time once the API server is ready.

    A kubelet of another version makes the static pods anew, some seconds after it started: whatever asks the API server
    then is cut off in the middle.
    """
    with site.api() as api:
        for again in reversed(range(TRIES)):
            wait_until(
                "API server", lambda: "" if api.text("/readyz") == "ok" else "it is not ready", site.ctx.deadline
            )
            try:
                act()
            except StepError:
                if not again:
                    raise
            else:
                return


def _old(api: Api, version: str) -> str:
    """Name the nodes whose kubelet is not of this version yet; empty when there is none."""
    nodes = [node for page in api.pages("/api/v1/nodes") for node in page]
    told = {node["metadata"]["name"]: node["status"].get("nodeInfo", {}).get("kubeletVersion", "") for node in nodes}
    return ", ".join(f"{name} runs {found}" for name, found in told.items() if found != version)
