"""Has every image of the cluster in each machine's container runtime: loaded from an archive, or pulled by the machine."""

from __future__ import annotations

from providers.hosts.marker import Marker
from providers.kubeadm.plan import CRI_SOCKET
from providers.kubeadm.programs import BIN
from providers.kubeadm.runtime import images
from providers.kubeadm.site import Site
from providers.releases.images import component, require_images

WHAT = "Images"
OF_WORKERS = ("kube-proxy", "pause", "coredns")
CTR = ("ctr", "--namespace", "k8s.io")


def supply(site: Site) -> None:
    """Load or pull what is missing.

    Raises: ProviderError before anything is sent when the archive lacks an image; StepError.
    """
    names = images(site)
    archives = require_images(site.supplies.archives, names) if site.supplies.archives else {}

    def on(marker: Marker) -> None:
        marker.own_pods()
        wanted = names if marker.node.role == "control-plane" else _of_workers(names)
        missing = set(wanted) - set(site.run(marker, WHAT, *CTR, "images", "list", "--quiet").split())
        for archive, held in archives.items():
            if missing & held:
                site.run(marker, WHAT, *CTR, "images", "import", "-", stdin=archive)
                missing -= held
        if missing and marker.node.role == "control-plane":
            elsewhere = ("--image-repository", site.plan.repository) if site.plan.repository else ()
            pull = (f"{BIN}/kubeadm", "config", "images", "pull", "--cri-socket", CRI_SOCKET)
            argv = (*pull, "--kubernetes-version", site.plan.version, *elsewhere)
            site.run(marker, WHAT, *argv)  # a worker's kubelet pulls the few that it needs

    site.each(on, WHAT)


def _of_workers(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if component(name) in OF_WORKERS)
