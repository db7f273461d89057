"""The images of a cluster in the container runtime of a real host."""

from __future__ import annotations

import os

import pytest

from e2e.plugin.images import Images
from providers.releases.images import archived_names, component
from providers.releases.sources import PINNED, sources_from_env
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.images import lab_images

pytestmark = pytest.mark.hosts
CTR = "ctr --namespace k8s.io"


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_a_runtime_takes_the_archive_and_starts_what_is_in_it(host_lab: Lab, fresh_hosts: FreshHosts) -> None:
    """The first run on a machine builds every program of a cluster."""
    archive = lab_images(PINNED, sources_from_env(os.environ))
    names = {component(name): name for name in sorted(archived_names(archive))}
    (host,) = fresh_hosts(1)

    host_lab.run(host.name, f"{CTR} images import -", stdin=archive.read_bytes(), timeout_s=120)
    listed = host_lab.run(host.name, f"{CTR} images list --quiet").split()
    contents = host_lab.run(host.name, f"{CTR} images list | awk 'NR > 1 {{print $3}}'").split()
    started = {
        "kube-apiserver": ("kube-apiserver --version", f"Kubernetes {PINNED}"),
        "etcd": ("etcd --version", "etcd Version: "),
        "coredns": ("/coredns -version", "CoreDNS-"),
        "pause": ("/pause -v", "pause.c lab"),
        "kube-proxy": ("iptables --version", "iptables v"),
        "agnhost": ("/agnhost-2 --help", "Usage:"),
        "busybox": ("sh -c 'wget; env'", "data-1=kept"),
        "nginx": ("nginx -v 2>&1", "nginx version"),
    }
    said = {
        what: host_lab.run(host.name, f"{CTR} run --rm --env data-1=kept {names[what]} {what} {command} 2>&1")
        for what, (command, _) in started.items()
    }

    assert {name for name in listed if not name.startswith("sha256:")} == archived_names(archive)
    assert {what for what, (_, expected) in started.items() if expected not in said[what]} == set(), said
    assert len(set(contents)) == len(archived_names(archive)), "some have the same configuration"
    assert "BusyBox" in said["busybox"]
    assert {Images.upstream().agnhost, Images.upstream().busybox} <= archived_names(archive)
