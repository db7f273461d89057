"""Machines that pull the cluster's images from a registry, on real hosts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from providers.contracts import ClusterSpec
from providers.releases.sources import IMAGE_REGISTRY, PINNED, sources_from_env
from tests.hosts.clusters import differences, lab_context, lab_provider, states
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.images import lab_images
from tests.support.lab.registry import image_registry

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(900)]

TRUST = """set -eu
mkdir -p "/etc/containerd/certs.d/$1"
printf 'server = "http://%s"\\n[host."http://%s"]\\n  capabilities = ["pull", "resolve"]\\n' "$1" "$1" \
    > "/etc/containerd/certs.d/$1/hosts.toml"
"""
LIST = "ctr --namespace k8s.io images list --quiet | grep -v ^sha256: | grep -v @sha256:"


def pulled(lab: Lab, host: str) -> set[str]:
    """Return the names of a machine's images, without registry and version."""
    names = lab.run(host, LIST).split()
    assert [name for name in names if name.startswith(f"{IMAGE_REGISTRY}/")] == []
    return {name.rpartition("/")[2].partition(":")[0] for name in names}


def test_machines_pull_from_the_repository_that_is_given(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(2)
    archive = lab_images(PINNED, sources_from_env(os.environ))
    with image_registry(archive, str(host_lab.names.gateway)) as registry:
        for host in hosts:
            host_lab.run(host.name, f"set -- '{registry}'\n{TRUST}")
        before = states(host_lab, hosts)
        provider = lab_provider(hosts)
        context = lab_context(tmp_path / "c1", hosts, E2E_IMAGES="", E2E_IMAGE_REPOSITORY=f"{registry}/k8s")

        cluster = provider.up(ClusterSpec(nodes=1), context)

        assert cluster.nodes == ("h1", "h2")
        control_plane = {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"}
        everywhere = {"kube-proxy", "pause", "coredns"}
        assert pulled(host_lab, "h1") == control_plane | everywhere
        assert pulled(host_lab, "h2") == everywhere
        provider.down(context)
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)
