"""Services for tests."""

from __future__ import annotations

from typing import Any

from lightkube.models.core_v1 import ServicePort, ServiceSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Service


def service(name: str, **fields: Any) -> Service:
    """Return a Service with one port."""
    spec = {"selector": {"app": name}, "ports": [ServicePort(port=80, protocol="TCP")], **fields}
    return Service(metadata=ObjectMeta(name=name), spec=ServiceSpec(**spec))


def spec_of(found: Service) -> ServiceSpec:
    """Return the spec of a Service that the server sent."""
    assert found.spec
    return found.spec
