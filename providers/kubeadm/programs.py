"""Puts kubeadm, kubelet and kubectl on the machines, verified there, and what starts the kubelet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from providers.contracts import Download
from providers.hosts.marker import Marker
from providers.hosts.preflight import ARCHITECTURES
from providers.kubeadm.site import Site
from upload.errors import StepError

BIN = "/usr/local/bin"
UNIT = "/etc/systemd/system/kubelet.service"
WHAT = "Install Kubernetes"
# folders that kubeadm, kubelet and network plugins fill: nobody's before, gone afterwards
TREES = (
    "/etc/kubernetes",
    "/etc/cni/net.d",
    "/var/lib/kubelet",
    "/var/lib/etcd",
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/run/cni-ipam-state",
    "/usr/libexec/kubernetes",
)
MODULES = ("overlay", "br_netfilter")
SYSCTLS = {"net.ipv4.ip_forward": "1"}  # asked for by kubeadm
# what others set for the whole machine. Source: kubernetes, setupKernelTunables in pkg/kubelet/cm and
# pkg/proxy: for node ports on 127.0.0.1, and as a patch of conntrack says
SET_BY_OTHERS = (
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
    "net.ipv4.conf.all.route_localnet",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
)
# kubeadm's own unit and drop-in in one. Source: kubernetes/release, cmd/krel/templates/latest
KUBELET_UNIT = f"""[Unit]
Description=kubelet
Wants=network-online.target
After=network-online.target containerd.service

[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart={BIN}/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
Restart=always
StartLimitInterval=0
RestartSec=2

[Install]
WantedBy=multi-user.target
"""
# reads the sum of what is there; a file that is whole already is not sent again
_SUM = 'sha256sum -- "$1" 2>/dev/null | cut -d " " -f 1'
# the address comes on stdin: it may hold a password, and argv is for everybody
_FETCH = """set -eu
half=$(mktemp "$1.XXXXXX")
trap 'rm -f -- "$half"' EXIT
curl --fail --silent --show-error --location --proto =https --proto-redir =https --retry 3 --config - --output "$half"
got=$(sha256sum -- "$half" | cut -d " " -f 1)
[ "$got" = "$2" ] || { echo "what came has the SHA-256 $got, not the published $2" >&2; exit 1; }
chmod 755 "$half"
mv -fT -- "$half" "$1"
trap - EXIT
"""


def install(site: Site) -> None:
    """Install on every machine; what is there with the right checksum stays.

    Raises: StepError, also for a checksum that is wrong on the machine.
    """

    def on(marker: Marker) -> None:
        for tree in TREES:
            marker.own_tree(tree)
        for module in MODULES:
            marker.load_module(module)
        for name, value in SYSCTLS.items():
            marker.set_sysctl(name, value)
        marker.own_sysctls(SET_BY_OTHERS)
        marker.write_file(UNIT, KUBELET_UNIT.encode())
        site.run(marker, WHAT, "systemctl", "daemon-reload")

    site.each(on, WHAT)
    put(site, ("kubelet", "kubeadm", "kubectl"))


def put(site: Site, names: Sequence[str], markers: Sequence[Marker] | None = None) -> None:
    """Have programs on all machines, or on some; what is there with the right checksum stays. Raises as ``install``."""
    platforms = site.each(_platform, "asking for processors", markers)
    files = {platform: _files(site, platform, names) for platform in sorted(set(platforms.values()))}

    def on(marker: Marker) -> None:
        for program, (source, sha256) in files[platforms[marker.node.name]].items():
            _put(site, marker, f"{BIN}/{program}", source, sha256)

    site.each(on, WHAT, markers)


def _platform(marker: Marker) -> str:
    machine = marker.node.run(("uname", "-m"), deadline=marker.deadline).stdout.strip()
    return f"linux/{ARCHITECTURES[machine]}"


def _files(site: Site, platform: str, names: Sequence[str]) -> Mapping[str, tuple[Path | Download, str]]:
    """Return program → where it comes from, and its SHA-256."""
    deadline = site.ctx.deadline
    found: dict[str, tuple[Path | Download, str]] = {}
    for program in names:
        release = site.supplies.kubelet if program == "kubelet" else site.supplies.binaries
        binaries = release.other(platform=platform, deadline=deadline)
        published = binaries.published(program, deadline=deadline) if site.supplies.fetched else None
        if published:
            found[program] = (published, published.sha256)
        else:
            path = binaries.get(program, deadline=deadline)
            found[program] = (path, _sha256(path))
    return found


def _put(site: Site, marker: Marker, path: str, source: Path | Download, sha256: str) -> None:
    if _sum(site, marker, path) == sha256:
        return
    if isinstance(source, Download):
        marker.own_file(path)
        told = f'url = "{source.url}"\n'.encode()
        site.run(marker, f"Fetch {path.rpartition('/')[2]}", "sh", "-c", _FETCH, "fetch", path, sha256, stdin=told)
        return
    marker.write_file(path, source, mode=0o755)
    if (arrived := _sum(site, marker, path)) != sha256:
        what = f"{path} arrived with the SHA-256 {arrived}, not {sha256}: its disk or memory is bad, or somebody changes it"
        raise StepError(
            WHAT, what, node=marker.node.name, hint=f"sha256sum {path}; dmesg --level err   (on the machine)"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum(site: Site, marker: Marker, path: str) -> str:
    return site.run(marker, WHAT, "sh", "-c", _SUM, "sum", path).strip()
