from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.models.node_v1 import Overhead
from lightkube.resources.node_v1 import RuntimeClass

from e2e.suite.refusals import Refusal, refusal
from e2e.suite.workloads import pod

pytestmark = [pytest.mark.sig("node"), pytest.mark.needs("create pods")]

Eventually = Callable[..., Any]


@pytest.mark.cite(
    "[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_unknown_class_is_refused(client: Client, namespace: str) -> None:
    """RuntimeClass that does not exist should have the pods that name it refused."""
    refused = refusal(lambda: client.create(pod("a", runtimeClassName=f"{namespace}-nobody"), namespace=namespace))

    assert refused == Refusal(403, "Forbidden", "")


@pytest.mark.cite(
    "[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead [NodeConformance] [Conformance]"
)
@pytest.mark.cluster_scoped
@pytest.mark.needs("create,delete runtimeclasses.node.k8s.io")
def test_overhead_is_added(
    client: Client, namespace: str, create_global: Callable[..., Any], eventually: Eventually
) -> None:
    """RuntimeClass should add its overhead to the pods that name it."""
    overhead = Overhead(podFixed={"cpu": "10m", "memory": "1Mi"})
    create_global(RuntimeClass(metadata=ObjectMeta(name=namespace), handler="e2e", overhead=overhead))

    # admission looks classes up in a cache that follows a moment later
    made = eventually(lambda: client.create(pod("a", runtimeClassName=namespace), namespace=namespace))
    assert made.spec.overhead == {"cpu": "10m", "memory": "1Mi"}
