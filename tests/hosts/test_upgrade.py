"""A cluster on real hosts that is upgraded, and one whose kubelets are older."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.api import Api
from providers.contracts import Cluster, ClusterSpec, Context, Deadline
from providers.releases.sources import PINNED
from tests.hosts.clusters import differences, lab_context, lab_provider, states
from tests.hosts.faults import BreakAt, Broken
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(1800)]

BEFORE = "v1.35.4"
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"key": "value"}}
CONFIGS = "/api/v1/namespaces/default/configmaps"


def kubelets(cluster: Cluster) -> dict[str, str]:
    """Return node → the version that its kubelet tells; only of nodes that take pods."""
    with Api(cluster.kubeconfig) as api:
        nodes: list[dict[str, Any]] = [node for page in api.pages("/api/v1/nodes") for node in page]
    assert [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")] == []
    return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}


def later(context: Context) -> Context:
    """Return the context with new time."""
    return replace(context, deadline=Deadline.after(600, "the next call"))


def test_an_upgraded_cluster_keeps_its_objects_and_goes_on_where_it_was_broken_off(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts, BEFORE, PINNED)
    spec = ClusterSpec(nodes=1, upgrade_to=PINNED)
    old = provider.up(replace(spec, upgrade_to=""), context)
    with Api(old.kubeconfig) as api:
        api.post(CONFIGS, CONFIG)
    assert (old.version, kubelets(old)) == (BEFORE, {"h1": BEFORE, "h2": BEFORE})
    with pytest.raises(Broken):  # in the middle: the first machine is done, the other one is not
        provider.up(spec, replace(later(context), steps=BreakAt(at="Upgrade h2: kubeadm")))

    cluster = provider.up(spec, later(context))

    assert (cluster.version, kubelets(cluster)) == (PINNED, {"h1": PINNED, "h2": PINNED})
    with Api(cluster.kubeconfig) as api:
        assert api.get(f"{CONFIGS}/kept")["data"] == CONFIG["data"]
        assert api.get("/version")["gitVersion"] == PINNED
    assert provider.up(spec, later(context)) == cluster, "a second up must find what the first one made"
    provider.down(later(context))
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)


@pytest.mark.parametrize("kubelet", ["v1.33.5", "v1.35.4"])
def test_older_kubelets_run_pods(kubelet: str, host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts)

    cluster = provider.up(ClusterSpec(nodes=1, kubelet_version=kubelet), context)  # ends with a pod on every node

    assert (cluster.version, kubelets(cluster)) == (PINNED, {"h1": kubelet, "h2": kubelet})
    provider.down(later(context))
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)
