from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.core_v1 import (
    LimitRangeItem,
    LimitRangeSpec,
    ResourceQuotaSpec,
    ResourceRequirements,
)
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import LimitRange, Pod, ResourceQuota, Secret

from e2e.suite.controllers import name_of
from e2e.suite.refusals import Refusal, refusal
from e2e.suite.workloads import pod

pytestmark = pytest.mark.sig("api-machinery")

FORBIDDEN = Refusal(403, "Forbidden", "")
NOWHERE = {"no": "node"}  # keeps pods pending: a quota counts them all the same


def used(client: Client, namespace: str, name: str) -> dict[str, str]:
    status = client.get(ResourceQuota, name, namespace=namespace).status
    assert status is not None
    return dict(status.used or {})


def quota(client: Client, namespace: str, name: str, hard: dict[str, str], *scopes: str) -> None:
    spec = ResourceQuotaSpec(hard=hard, scopes=list(scopes) or None)
    client.create(ResourceQuota(metadata=ObjectMeta(name=name), spec=spec), namespace=namespace)


def wait_until_enforced(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """Wait until admission knows the quotas that were made so far.

    It sees them later than their readers, and until then lets objects in without counting them; the controller would
    notice only minutes later. They arrive in order, so that the one made last tells of all.
    """
    quota(client, namespace, "last", {"count/leases.coordination.k8s.io": "0"})
    lease = Lease(metadata=ObjectMeta(name="one-too-many"))
    said = eventually(lambda: refusal(lambda: client.create(lease, namespace=namespace, dry_run=True)))
    assert said == FORBIDDEN


@pytest.mark.conformance
@pytest.mark.depends("resourcequota-controller")
@pytest.mark.cite(
    "[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a secret. [Conformance]",
    "[sig-api-machinery] ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated. [Conformance]",
)
@pytest.mark.needs("create,get resourcequotas", "create,delete secrets")
def test_quota_counts_objects(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """ResourceQuota should count the objects that are there, refuse one too many, and free the place of a deleted one."""
    key = "count/secrets"
    client.create(Secret(metadata=ObjectMeta(name="a")), namespace=namespace)
    quota(client, namespace, "q", {key: "2"})
    eventually(lambda: used(client, namespace, "q"), until=lambda found: found == {key: "1"})
    wait_until_enforced(client, namespace, eventually)
    client.create(Secret(metadata=ObjectMeta(name="b")), namespace=namespace)
    eventually(lambda: used(client, namespace, "q"), until=lambda found: found == {key: "2"})
    said = refusal(lambda: client.create(Secret(metadata=ObjectMeta(name="c")), namespace=namespace))
    client.delete(Secret, "a", namespace=namespace)

    assert said == FORBIDDEN
    assert f"exceeded quota: q, requested: {key}=1, used: {key}=2, limited: {key}=2" in said.message
    freed = eventually(lambda: client.create(Secret(metadata=ObjectMeta(name="c")), namespace=namespace))
    assert name_of(freed) == "c"


@pytest.mark.conformance
@pytest.mark.depends("resourcequota-controller")
@pytest.mark.cite(
    "[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod. [Conformance]"
)
@pytest.mark.needs("create,get resourcequotas", "pods")
def test_quota_sums_requests(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """ResourceQuota should sum the requests of Pods, refuse what exceeds it, and demand that requests are named."""
    quota(client, namespace, "q", {"pods": "3", "requests.cpu": "1", "requests.memory": "1Gi"})
    nothing = {"pods": "0", "requests.cpu": "0", "requests.memory": "0"}
    eventually(lambda: used(client, namespace, "q"), until=lambda found: found == nothing)
    wait_until_enforced(client, namespace, eventually)

    def add(name: str, cpu: str, memory: str) -> Pod:
        return client.create(
            pod(name, requests={"cpu": cpu, "memory": memory}, nodeSelector=NOWHERE), namespace=namespace
        )

    add("a", "600m", "256Mi")
    add("b", "300m", "256Mi")
    both = {"pods": "2", "requests.cpu": "900m", "requests.memory": "512Mi"}
    eventually(lambda: used(client, namespace, "q"), until=lambda found: found == both)
    too_much = refusal(lambda: add("c", "200m", "1Mi"))
    unnamed = refusal(lambda: client.create(pod("d", nodeSelector=NOWHERE), namespace=namespace))

    assert (too_much, unnamed) == (FORBIDDEN, FORBIDDEN)
    assert "must specify requests.cpu for: main; requests.memory for: main" in unnamed.message
    client.delete(Pod, "a", namespace=namespace)
    client.delete(Pod, "b", namespace=namespace)
    eventually(lambda: used(client, namespace, "q"), until=lambda found: found == nothing)


@pytest.mark.conformance
@pytest.mark.depends("resourcequota-controller")
@pytest.mark.cite("[sig-api-machinery] ResourceQuota should verify ResourceQuota with best effort scope. [Conformance]")
@pytest.mark.needs("create,get resourcequotas", "pods")
def test_quota_scopes(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """ResourceQuota with a scope should count only the Pods of that scope."""
    quota(client, namespace, "best", {"pods": "5"}, "BestEffort")
    quota(client, namespace, "rest", {"pods": "5"}, "NotBestEffort")

    def both() -> tuple[dict[str, str], dict[str, str]]:
        return used(client, namespace, "best"), used(client, namespace, "rest")

    eventually(both, until=lambda found: found == ({"pods": "0"}, {"pods": "0"}))
    wait_until_enforced(client, namespace, eventually)
    for name, requests in (("a", None), ("b", None), ("c", {"cpu": "1m"})):
        client.create(pod(name, requests=requests, nodeSelector=NOWHERE), namespace=namespace)

    eventually(both, until=lambda found: found == ({"pods": "2"}, {"pods": "1"}))


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied. "
    "[Conformance]"
)
@pytest.mark.needs("create limitranges", "pods")
def test_limit_range(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """LimitRange should give Pods its defaults and refuse those outside its bounds."""
    item = LimitRangeItem(
        type="Container",
        min={"cpu": "50m"},
        max={"cpu": "500m"},
        default={"cpu": "300m"},
        defaultRequest={"cpu": "100m"},
    )
    client.create(LimitRange(metadata=ObjectMeta(name="l"), spec=LimitRangeSpec(limits=[item])), namespace=namespace)

    def resources(name: str, **fields: Any) -> ResourceRequirements:
        made = client.create(pod(name, nodeSelector=NOWHERE, **fields), namespace=namespace, dry_run=True)
        assert made.spec is not None
        found = made.spec.containers[0].resources
        assert found is not None
        return found

    # admission reads the ranges from a cache
    eventually(lambda: resources("a").limits, until=lambda limits: limits == {"cpu": "300m"})
    too_small = refusal(lambda: resources("d", requests={"cpu": "10m"}))
    too_big = refusal(lambda: resources("d", limits={"cpu": "600m"}))

    assert resources("b").requests == {"cpu": "100m"}
    assert resources("c", limits={"cpu": "200m"}).requests == {"cpu": "200m"}
    assert (too_small, too_big) == (FORBIDDEN, FORBIDDEN)
    assert "minimum cpu usage per Container is 50m, but request is 10m" in too_small.message
    assert "maximum cpu usage per Container is 500m, but limit is 600m" in too_big.message
