"""Workloads for tests, and what a test asks about their pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightkube import Client
from lightkube.models.apps_v1 import DaemonSetSpec, DeploymentSpec, ReplicaSetSpec, StatefulSetSpec
from lightkube.models.batch_v1 import JobSpec
from lightkube.models.core_v1 import PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from e2e.suite.workloads import pod_spec, pod_template

REVISION = "deployment.kubernetes.io/revision"
GATE = {"name": "e2e.test/hold"}  # keeps a pod Pending until the test lets go; works on every kind of node


def deployment(name: str, *, replicas: int = 1, pod: dict[str, Any] | None = None, **fields: Any) -> Deployment:
    """Return a Deployment whose pods carry ``app=name``; ``pod``: fields of the pod, ``fields``: of the spec."""
    spec = DeploymentSpec(selector=_select(name), template=_template(name, pod), replicas=replicas, **fields)
    return Deployment(metadata=ObjectMeta(name=name, labels={"app": name}), spec=spec)


def replica_set(name: str, *, replicas: int = 1, pod: dict[str, Any] | None = None) -> ReplicaSet:
    """Return a ReplicaSet whose pods carry ``app=name``."""
    spec = ReplicaSetSpec(selector=_select(name), template=_template(name, pod), replicas=replicas)
    return ReplicaSet(metadata=ObjectMeta(name=name, labels={"app": name}), spec=spec)


def stateful_set(name: str, *, replicas: int = 1, pod: dict[str, Any] | None = None, **fields: Any) -> StatefulSet:
    """Return a StatefulSet whose pods carry ``app=name``."""
    spec = StatefulSetSpec(
        selector=_select(name), template=_template(name, pod), serviceName=name, replicas=replicas, **fields
    )
    return StatefulSet(metadata=ObjectMeta(name=name, labels={"app": name}), spec=spec)


def daemon_set(name: str, *, pod: dict[str, Any] | None = None, **fields: Any) -> DaemonSet:
    """Return a DaemonSet whose pods carry ``app=name``."""
    spec = DaemonSetSpec(selector=_select(name), template=_template(name, pod), **fields)
    return DaemonSet(metadata=ObjectMeta(name=name, labels={"app": name}), spec=spec)


def job(name: str, *, pod: dict[str, Any] | None = None, **fields: Any) -> Job:
    """Return a Job whose pods carry ``app=name`` and are never restarted in place."""
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": name}), spec=pod_spec(restartPolicy="Never", **(pod or {}))
    )
    return Job(metadata=ObjectMeta(name=name, labels={"app": name}), spec=JobSpec(template=template, **fields))


def pods_of(client: Client, namespace: str, app: str) -> list[Pod]:
    """Return the pods that carry ``app`` and are not being deleted, by name."""
    found = client.list(Pod, namespace=namespace, labels={"app": app})
    return sorted((p for p in found if not meta(p).deletionTimestamp), key=name_of)


def node_of(client: Client, namespace: str, name: str) -> str | None:
    """Return where a pod was bound, or None."""
    found = client.get(Pod, name, namespace=namespace)
    return found.spec.nodeName if found.spec else None


def let_go(client: Client, pod: Pod) -> None:
    """Take the gate away from a pod that was created with ``GATE``."""
    client.patch(
        Pod, name_of(pod), {"spec": {"schedulingGates": [{"$patch": "delete", **GATE}]}}, namespace=space_of(pod)
    )


def end_pod(client: Client, pod: Pod, *, phase: str) -> None:
    """Write the final phase of a pod that never started, as a kubelet would: ``Failed`` or ``Succeeded``."""
    client.patch(Pod.Status, name_of(pod), {"status": {"phase": phase}}, namespace=space_of(pod))


def exactly(wanted: object) -> Callable[[object], bool]:
    """Return a condition for ``eventually``: the observation equals ``wanted``."""
    return lambda seen: seen == wanted


def conditions(obj: Any) -> dict[str, tuple[str, str]]:
    """Return status and reason of each condition of an object, by type."""
    found = (obj.status.conditions if obj.status else None) or []
    return {condition.type: (condition.status, condition.reason or "") for condition in found}


def meta(obj: Any) -> ObjectMeta:
    """Return the metadata of an object that the server sent."""
    metadata = obj.metadata
    assert isinstance(metadata, ObjectMeta)
    return metadata


def name_of(obj: Any) -> str:
    """Return the name of an object that the server sent."""
    return meta(obj).name or ""


def space_of(obj: Any) -> str:
    """Return the namespace of an object that the server sent."""
    return meta(obj).namespace or ""


def owner_of(obj: Any) -> tuple[str, str] | None:
    """Return kind and name of an object's controller, or None."""
    for reference in meta(obj).ownerReferences or []:
        if reference.controller:
            return reference.kind, reference.name
    return None


def _select(name: str) -> LabelSelector:
    return LabelSelector(matchLabels={"app": name})


def _template(name: str, pod: dict[str, Any] | None) -> PodTemplateSpec:
    return pod_template({"app": name}, **(pod or {}))
