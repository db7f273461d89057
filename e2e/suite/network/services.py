"""Services for tests, and what pods are told about the names of services."""

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


def resolver(text: str) -> dict[str, list[str]]:
    """Return the values of each keyword of a resolv.conf; of one on several lines those of all, in order.

    Options come sorted: their order means nothing, and the kubelet writes them in a random one (its ``mergeDNSOptions``
    ranges over a map).
    """
    found: dict[str, list[str]] = {}
    for keyword, *values in filter(None, (line.split() for line in text.splitlines())):
        found.setdefault(keyword, []).extend(values)
    return {keyword: sorted(values) if keyword == "options" else values for keyword, values in found.items()}
