from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.core_v1 import ServicePort, ServiceSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, Service

from e2e.suite.controllers import meta
from e2e.suite.refusals import Refusal, refusal
from e2e.suite.workloads import pod

pytestmark = [
    pytest.mark.sig("api-machinery"),
    pytest.mark.needs("configmaps", "pods"),
    pytest.mark.depends("namespace-controller"),
]

GONE = Refusal(404, "NotFound", "")


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Namespaces [Serial] should ensure that all pods are removed when a namespace is deleted [Conformance]",
    "[sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a namespace is deleted "
    "[Conformance]",
)
@pytest.mark.needs("services")
def test_deleted_namespace_takes_everything_along(
    client: Client, make_namespace: Callable[..., str], eventually: Callable[..., Any]
) -> None:
    """Namespaces should take their Pods, Services and other objects along when they are deleted, and accept nothing new."""
    space, other = make_namespace(), make_namespace()
    for name in (space, other):
        client.create(ConfigMap(metadata=ObjectMeta(name="kept")), namespace=name)
    client.create(
        Service(metadata=ObjectMeta(name="s"), spec=ServiceSpec(ports=[ServicePort(port=80)])), namespace=space
    )
    # a pod on no node goes at once; for one that takes its time the controller looks again only after eight seconds
    client.create(pod("p", nodeSelector={"no": "node"}), namespace=space)
    client.delete(Namespace, space)
    late = refusal(lambda: client.create(ConfigMap(metadata=ObjectMeta(name="late")), namespace=space))
    # longer than other waits: the controller takes its time to look, and namespaces of other cases queue before this one
    eventually(lambda: refusal(lambda: client.get(Namespace, space)), until=lambda said: said == GONE)

    assert late == Refusal(403, "Forbidden", "")
    assert refusal(lambda: client.get(Pod, "p", namespace=space)) == GONE
    assert refusal(lambda: client.get(Service, "s", namespace=space)) == GONE
    assert refusal(lambda: client.get(ConfigMap, "kept", namespace=space)) == GONE
    assert client.get(ConfigMap, "kept", namespace=other).metadata is not None


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] OrderedNamespaceDeletion namespace deletion should delete pod first [Conformance]"
)
def test_pods_go_before_what_they_use(
    client: Client, make_namespace: Callable[..., str], eventually: Callable[..., Any]
) -> None:
    """OrderedNamespaceDeletion should remove Pods before the objects that they use."""
    space = make_namespace()
    held = pod("held")
    meta(held).finalizers = ["e2e.example.com/hold"]
    client.create(held, namespace=space)
    client.create(ConfigMap(metadata=ObjectMeta(name="used")), namespace=space)
    client.delete(Namespace, space)

    def first_pass_is_done() -> bool:
        status = client.get(Namespace, space).status
        return status is not None and bool(status.conditions)

    try:
        eventually(first_pass_is_done)
        assert meta(client.get(Pod, "held", namespace=space)).deletionTimestamp is not None
        assert meta(client.get(ConfigMap, "used", namespace=space)).deletionTimestamp is None
    finally:
        client.patch(Pod, "held", {"metadata": {"finalizers": None}}, namespace=space)
