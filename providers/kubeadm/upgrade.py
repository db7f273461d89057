"""Upgrades a cluster that is up by ``kubeadm upgrade``: the control planes one after the other, then the workers.

Source: kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade.
"""

from __future__ import annotations

from collections.abc import Callable

from providers._usable import unready, wait_until
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
OVER = "global timeout reached"  # says kubectl where pods could not be evicted in time: it names them, and would again
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
        _upgrade(site, marker)
    ready.wait(site)


def _upgrade(site: Site, marker: Marker) -> None:
    version, name = site.plan.version, marker.node.name
    if site.run(marker, WHAT, "sh", "-c", 'cat "$1" 2>/dev/null || true', "cat", DONE).strip() == version:
        return
    step = site.ctx.steps.step
    words = ("apply", "--yes") if marker is site.first else ("node",)
    document = upgrade_document(site.plan).encode()
    with step(f"{WHAT} {name}: kubeadm"), with_kubelet_log(site, marker, "kubeadm upgrade"):
        argv = ("sh", "-c", _UPGRADE, f"{BIN}/kubeadm", *words)
        _steadily(site, lambda: site.run(marker, "kubeadm upgrade", *argv, stdin=document))
    with step(f"{WHAT} {name}: drain"):
        flags = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--timeout={DRAIN_S}s")
        _steadily(site, lambda: site.run(site.first, "Drain", *KUBECTL, "drain", name, *flags))
    with step(f"{WHAT} {name}: kubelet"):
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
            wait_until("API server", lambda: unready(api), site.ctx.deadline)
            try:
                act()
            except StepError as error:
                if not again or OVER in error.output_tail:
                    raise
            else:
                return
