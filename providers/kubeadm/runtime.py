"""Installs containerd from the machine's own packages and configures it for Kubernetes."""

from __future__ import annotations

import re

from providers.hosts.marker import Marker
from providers.hosts.owner import LINKS
from providers.kubeadm.documents import kubelet
from providers.kubeadm.plan import ClusterPlan
from providers.kubeadm.programs import BIN
from providers.kubeadm.site import Site
from providers.releases.images import component, list_argv, read_list
from upload.errors import StepError

WHAT = "Install the container runtime"
CONFIG = "/etc/containerd/config.toml"
# conntrack, ethtool, socat, iptables: kubeadm's preflight and kube-proxy; the plugins: our pod network
PACKAGES = ("containerd", "containernetworking-plugins", "conntrack", "ethtool", "iptables", "socat")
OLDEST = (1, 6)
PACKAGED_PLUGINS = "/usr/lib/cni"
# where a manifest's own pods put theirs, beside which the packaged ones are copied
MANIFESTS_PLUGINS = "/opt/cni/bin"
_VERSION = re.compile(r"\bv?(?P<major>[0-9]+)\.(?P<minor>[0-9]+)\.[0-9]+")
# one that is not of Debian's package, such as Docker's containerd.io, stays what it is
_MISSING = 'for p in "$@"; do case $p in containerd) command -v containerd >/dev/null || echo "$p" ;; *) echo "$p" ;; esac; done'
# what a machine has of its own stays; each comes whole or not at all
_COPY = """set -eu
mkdir -p "$2"
for plugin in "$1"/*; do
    name=${plugin##*/}
    [ ! -e "$2/$name" ] || continue
    cp "$plugin" "$2/.$name.half"
    mv "$2/.$name.half" "$2/$name"
done
"""
_ANSWERS = """n=0
until ctr version >/dev/null 2>&1; do
    n=$((n + 1))
    [ "$n" -lt 60 ] || { journalctl --no-pager --lines 20 --unit containerd >&2; exit 1; }
    sleep 0.5
done
"""


def install(site: Site) -> None:
    """Install and configure containerd on every machine; it is restarted only where its configuration changed.

    Raises: StepError, also for a containerd that is too old.
    """
    pause = pause_image(images(site))

    def on(marker: Marker) -> None:
        packages = site.run(marker, WHAT, "sh", "-c", _MISSING, "missing", *PACKAGES).split()
        marker.install_packages(packages)
        _check_version(site, marker)
        if site.plan.manifest:
            marker.own_links(LINKS)
            marker.own_tree(MANIFESTS_PLUGINS, kept=True)
            site.run(marker, WHAT, "sh", "-c", _COPY, "copy", PACKAGED_PLUGINS, MANIFESTS_PLUGINS)
        text = config_toml(site.plan, pause).encode()
        marker.restart_at_the_end("containerd")
        if marker.update_file(CONFIG, text):
            site.run(marker, WHAT, "systemctl", "restart", "containerd")
        marker.enable_unit("containerd")
        site.run(marker, WHAT, "sh", "-c", _ANSWERS)

    site.each(on, WHAT)


def images(site: Site) -> tuple[str, ...]:
    """Return the names of the images that this Kubernetes needs, as the first machine's kubeadm tells them."""
    argv = list_argv(f"{BIN}/kubeadm", site.plan.version, site.plan.repository)
    return read_list(site.run(site.first, "List images", *argv))


def pause_image(names: tuple[str, ...]) -> str:
    """Return the name of the image that holds a pod's namespaces. Raises: StepError."""
    for name in names:
        if component(name) == "pause":
            return name
    raise StepError("List images", f"kubeadm names no image of pause: {', '.join(names)}")


def config_toml(plan: ClusterPlan, pause: str) -> str:
    """Return containerd's configuration, which 1.6, 1.7 and 2.x read. Source: containerd, docs/cri/config.md."""
    systemd = kubelet(plan).get("cgroupDriver") == "systemd"
    return f'''version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # where containerd may not lower its own score, runc could not lower a pod's either, and pods of the system not start
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{MANIFESTS_PLUGINS if plan.manifest else PACKAGED_PLUGINS}"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = {str(systemd).lower()}
'''


def _check_version(site: Site, marker: Marker) -> None:
    said = site.run(marker, WHAT, "containerd", "--version")
    found = _VERSION.search(said)
    if found is None:
        raise StepError(WHAT, f"containerd tells no version: {said.strip()[:200]!r}", node=marker.node.name)
    if (int(found["major"]), int(found["minor"])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise StepError(
            WHAT,
            f"containerd {found.group().lstrip('v')} is too old, {oldest} is the oldest that works",
            node=marker.node.name,
            hint="apt-get install --only-upgrade containerd   (on the machine)",
        )
