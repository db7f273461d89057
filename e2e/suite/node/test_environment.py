"""What a container finds in its environment."""

from __future__ import annotations

from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Secret

from e2e.suite.containers import RUN, Pods, once, shell
from e2e.suite.controllers import meta

pytestmark = [pytest.mark.sig("node"), pytest.mark.requires("pods-run"), pytest.mark.needs(*RUN)]


def environment(written: str) -> dict[str, str]:
    """Return what ``env`` wrote, as far as our names go."""
    pairs = (line.partition("=") for line in written.splitlines())
    return {name: value for name, _, value in pairs if name.startswith("E2E_")}


def of_field(name: str, path: str) -> dict[str, Any]:
    """Return a variable with a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def of_resource(name: str, resource: str, divisor: str) -> dict[str, Any]:
    """Return a variable with a resource of the container."""
    return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": divisor}}}


@pytest.mark.cite("[sig-node] ConfigMap should be consumable via the environment [NodeConformance] [Conformance]")
@pytest.mark.cite("[sig-node] Secrets should be consumable via the environment [NodeConformance] [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("configmaps", "secrets")
def test_config_maps_and_secrets(client: Client, namespace: str, pods: Pods) -> None:
    """Container should find config maps and secrets in its environment, whole ones with a prefix and single keys."""
    client.create(ConfigMap(metadata=ObjectMeta(name="c"), data={"a": "1", "b": "2"}), namespace=namespace)
    client.create(Secret(metadata=ObjectMeta(name="s"), stringData={"key": "hush"}), namespace=namespace)
    all_of = [{"prefix": "E2E_C_", "configMapRef": {"name": "c"}}, {"prefix": "E2E_S_", "secretRef": {"name": "s"}}]
    single = [
        {"name": "E2E_B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "b"}}},
        {"name": "E2E_KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {"name": "E2E_C_a", "value": "rather this"},
    ]

    assert environment(pods.output(once("a", shell("env", envFrom=all_of, env=single)))) == {
        "E2E_B": "2",
        "E2E_C_a": "rather this",
        "E2E_C_b": "2",
        "E2E_KEY": "hush",
        "E2E_S_key": "hush",
    }


@pytest.mark.cite(
    "[sig-node] Downward API should provide pod name, namespace and IP address as env vars [NodeConformance] [Conformance]"
)
@pytest.mark.cite("[sig-node] Downward API should provide host IP as an env var [NodeConformance] [Conformance]")
@pytest.mark.cite("[sig-node] Downward API should provide pod UID as env vars [NodeConformance] [Conformance]")
@pytest.mark.conformance
def test_fields_of_the_pod(namespace: str, pods: Pods) -> None:
    """Container should find its pod's name, namespace, UID, node and addresses in its environment."""
    paths = {
        "E2E_NAME": "metadata.name",
        "E2E_NAMESPACE": "metadata.namespace",
        "E2E_UID": "metadata.uid",
        "E2E_NODE": "spec.nodeName",
        "E2E_HOST_IP": "status.hostIP",
        "E2E_POD_IP": "status.podIP",
    }
    made = shell("env; echo E2E_SEEN_IP=$(hostname -i)", env=[of_field(*pair) for pair in paths.items()])
    found = environment(pods.output(once("a", made)))

    pod = pods.get("a")
    assert pod.spec
    assert pod.status
    assert found == {
        "E2E_NAME": "a",
        "E2E_NAMESPACE": namespace,
        "E2E_UID": meta(pod).uid,
        "E2E_NODE": pod.spec.nodeName,
        "E2E_HOST_IP": pod.status.hostIP,
        "E2E_POD_IP": found["E2E_SEEN_IP"],
        "E2E_SEEN_IP": found["E2E_POD_IP"],
    }


@pytest.mark.cite(
    "[sig-node] Downward API should provide container's limits.cpu/memory and requests.cpu/memory as env vars [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_resources_of_the_container(pods: Pods) -> None:
    """Container should find its requests and limits in its environment, in the unit that it asks for."""
    env = [
        of_resource("E2E_CPU", "limits.cpu", "1m"),
        of_resource("E2E_CPU_UP", "limits.cpu", "1"),
        of_resource("E2E_MEMORY", "limits.memory", "1Mi"),
        of_resource("E2E_LEAST", "requests.memory", "1Ki"),
    ]
    resources = {"limits": {"cpu": "250m", "memory": "64Mi"}, "requests": {"cpu": "10m", "memory": "32Mi"}}

    assert environment(pods.output(once("a", shell("env", env=env, resources=resources)))) == {
        "E2E_CPU": "250",
        "E2E_CPU_UP": "1",  # rounded up
        "E2E_LEAST": "32768",
        "E2E_MEMORY": "64",
    }
