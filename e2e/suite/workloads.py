"""Pods for tests: small, and gone at once when they are deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec, ResourceRequirements
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

from e2e.plugin.images import Images

IMAGE = Images.upstream().pause


def pod_spec(
    *, requests: Mapping[str, str] | None = None, limits: Mapping[str, str] | None = None, **fields: Any
) -> PodSpec:
    """Return the spec of a pod with one container that does nothing; ``fields`` are further fields of PodSpec.

    No grace period: a namespace with pods that have one is removed many seconds later.
    """
    wants = dict(requests) if requests else None
    may = dict(limits) if limits else None
    resources = ResourceRequirements(requests=wants, limits=may) if wants or may else None
    container = Container(name="main", image=IMAGE, resources=resources)
    return PodSpec(**{"containers": [container], "terminationGracePeriodSeconds": 0, **fields})


def pod(name: str, *, labels: Mapping[str, str] | None = None, **fields: Any) -> Pod:
    """Return a pod; ``fields`` as in ``pod_spec``."""
    return Pod(metadata=ObjectMeta(name=name, labels=dict(labels or {})), spec=pod_spec(**fields))


def pod_template(labels: Mapping[str, str], **fields: Any) -> PodTemplateSpec:
    """Return the template of a workload's pods; ``fields`` as in ``pod_spec``."""
    return PodTemplateSpec(metadata=ObjectMeta(labels=dict(labels)), spec=pod_spec(**fields))
