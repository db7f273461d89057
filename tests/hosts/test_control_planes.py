"""Several control planes on real hosts, behind one address."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers._usable import wait_until
from providers.api import Api
from providers.contracts import ClusterSpec, Deadline
from tests.hosts.clusters import differences, lab_context, lab_provider, states
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full]

STOP = """mv /etc/kubernetes/manifests/kube-apiserver.yaml /var/tmp/
while ss -Hltn sport = :6443 | grep -q .; do sleep 0.5; done"""
WITHIN_S = 30.0


@pytest.mark.timeout(1800)
def test_the_cluster_answers_while_one_api_server_is_gone(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts, seconds=1500)
    spec = ClusterSpec(control_planes=2, nodes=0)

    cluster = provider.up(spec, context)
    assert provider.up(spec, context) == cluster

    for host in hosts:
        host_lab.run(host.name, STOP, timeout_s=120)
        assert nodes_within(cluster.kubeconfig, WITHIN_S) == ["h1", "h2"]
        host_lab.run(host.name, "mv /var/tmp/kube-apiserver.yaml /etc/kubernetes/manifests/")
        ready = "until curl -sk https://127.0.0.1:6443/readyz | grep -qx ok; do sleep 0.5; done"
        host_lab.run(host.name, ready, timeout_s=120)

    provider.down(context)
    assert provider.leftovers(context) == ()
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)


def nodes_within(kubeconfig: Path, seconds: float) -> list[str]:
    names: list[str] = []

    def look() -> str:
        with Api(kubeconfig) as api:
            names[:] = sorted(n["metadata"]["name"] for page in api.pages("/api/v1/nodes") for n in page)
        return ""

    wait_until("nodes", look, Deadline.after(seconds, "asking for nodes"), every_s=0.5)
    return names
