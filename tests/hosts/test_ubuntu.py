"""The provider ubuntu on real hosts: a whole life, and machines that are as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.api import Api
from providers.contracts import Cluster, ClusterSpec
from tests.hosts.clusters import differences, lab_context, lab_provider, states
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full]


@pytest.mark.timeout(1800)
def test_a_whole_life_leaves_the_machines_as_they_were(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    spec = ClusterSpec(nodes=1)

    cluster = provider.up(spec, context)
    assert provider.is_up(context)
    assert Cluster.from_json(cluster.to_json()) == cluster
    assert (cluster.nodes, cluster.version) == (("h1", "h2"), context.binaries.version)
    assert {path.stat().st_mode & 0o077 for path in context.folder.iterdir()} == {0}
    with Api(cluster.kubeconfig) as api:
        secrets = [s["metadata"]["name"] for page in api.pages("/api/v1/secrets") for s in page]
    assert secrets == [], "what let machines join is still there"

    assert provider.up(spec, context) == cluster, "a second up must find what the first one made"

    provider.dump(context, tmp_path / "dump")
    assert (tmp_path / "dump" / "metadata.json").is_file()

    provider.down(context)
    assert provider.leftovers(context) == ()
    assert not provider.is_up(context)
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)
    provider.down(context)
