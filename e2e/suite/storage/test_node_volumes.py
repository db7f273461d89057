"""Volumes that are a part of the node: emptyDir, hostPath and paths inside of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.core_v1 import Event

from e2e.suite.containers import FOREVER, RUN, RUN_S, Pods, lasting, once, shell

pytestmark = [pytest.mark.sig("storage"), pytest.mark.requires("pods-run"), pytest.mark.needs(*RUN)]

Eventually = Callable[..., Any]
MOUNT = [{"name": "v", "mountPath": "/v"}]


def empty(**fields: Any) -> list[dict[str, Any]]:
    """Return the volumes of a pod with one emptyDir."""
    return [{"name": "v", "emptyDir": fields}]


@pytest.mark.cite(
    "[sig-storage] EmptyDir volumes volume on default medium should have the correct mode [LinuxOnly] [NodeConformance] [Conformance]"
)
@pytest.mark.cite(
    "[sig-storage] EmptyDir volumes volume on tmpfs should have the correct mode [LinuxOnly] [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.parametrize(("medium", "in_memory"), [("", False), ("Memory", True)], ids=["disk", "memory"])
def test_empty_dir(pods: Pods, medium: str, in_memory: bool) -> None:
    """EmptyDir should be empty, open for every user, and of the medium that its pod asks for."""
    script = "ls -A /v | wc -l; stat -c %a /v; echo x > /v/f && cat /v/f; grep ' /v ' /proc/mounts | cut -d' ' -f3"
    user = {"runAsUser": 1000}
    made = once("a", shell(script, volumeMounts=MOUNT), securityContext=user, volumes=empty(medium=medium))
    count, mode, content, *kind = pods.output(made).split()

    # a tmpfs has its sticky bit besides
    assert (count, mode[-3:], content, kind == ["tmpfs"]) == ("0", "777", "x", in_memory)


@pytest.mark.cite("docs/concepts/storage/volumes#emptydir")
def test_size_of_memory(pods: Pods) -> None:
    """EmptyDir in memory should take no more than its size."""
    script = "dd if=/dev/zero of=/v/f bs=1M count=2 2>/dev/null; stat -c %s /v/f"
    made = once("a", shell(script, volumeMounts=MOUNT), volumes=empty(medium="Memory", sizeLimit="1Mi"))

    assert int(pods.output(made)) == 1024**2


@pytest.mark.cite("[sig-storage] EmptyDir volumes pod should support shared volumes between containers [Conformance]")
@pytest.mark.conformance
def test_empty_dir_is_shared(pods: Pods) -> None:
    """EmptyDir should be shared by the containers of its pod, and read-only for one that asks for that."""
    writer = shell("echo shared > /v/f", name="writer", volumeMounts=MOUNT)
    script = "until test -s /v/f; do sleep 0.1; done; cat /v/f; touch /v/g 2>/dev/null || echo 'read only'"
    reader = shell(script, volumeMounts=[{**MOUNT[0], "readOnly": True}])

    assert pods.output(once("a", writer, reader, volumes=empty())) == "shared\nread only\n"


@pytest.mark.cite("docs/concepts/storage/volumes#emptydir")
def test_empty_dir_outlives_its_containers(pods: Pods) -> None:
    """EmptyDir should keep its files when a container is started again."""
    script = "echo x >> /v/f; test $(wc -l < /v/f) = 2"
    pods.create(once("a", shell(script, volumeMounts=MOUNT), restartPolicy="OnFailure", volumes=empty()))
    pods.end("a", phase="Succeeded")

    assert pods.container("a").restartCount == 1


@pytest.mark.cite("[sig-node] Variable Expansion should allow substituting values in a volume subpath [Conformance]")
@pytest.mark.cite("[sig-node] Variable Expansion should succeed in writing subpaths in container [Conformance]")
@pytest.mark.conformance
def test_sub_path_with_a_variable(pods: Pods) -> None:
    """Path inside of a volume should take the pod's name and keep its files apart."""
    name = {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    own = [{"name": "v", "mountPath": "/own", "subPathExpr": "of/$(NAME)"}]
    init = shell("echo written > /own/f", name="init", env=[name], volumeMounts=own)
    made = shell("cd /v; find . -type f; cat of/*/f", volumeMounts=MOUNT)

    assert pods.output(once("me", made, initContainers=[init], volumes=empty())) == "./of/me/f\nwritten\n"


@pytest.mark.cite("docs/concepts/storage/volumes#hostpath")
@pytest.mark.cluster_scoped
def test_host_path(namespace: str, pods: Pods, nodes: tuple[str, ...]) -> None:
    """HostPath should be a folder of the node that outlives the pod and is seen by the next pod there."""
    folder = f"/v/{namespace}"

    def on_node(name: str, script: str) -> str:
        volumes = [{"name": "v", "hostPath": {"path": "/var/tmp", "type": "Directory"}}]  # noqa: S108 - the node's
        return pods.output(once(name, shell(script, volumeMounts=MOUNT), nodeName=nodes[0], volumes=volumes))

    on_node("writer", f"mkdir {folder} && echo $HOSTNAME > {folder}/f")
    assert on_node("reader", f"cat {folder}/f; rm -r {folder}") == "writer\n"


@pytest.mark.cite("docs/concepts/storage/volumes#hostpath-volume-types")
@pytest.mark.needs("list events")
def test_host_path_of_another_kind(
    namespace: str, client: Client, pods: Pods, nodes: tuple[str, ...], eventually: Eventually
) -> None:
    """HostPath that is not of the kind that its pod expects should keep the container from starting and say so."""
    volumes = [{"name": "v", "hostPath": {"path": "/var/tmp", "type": "File"}}]  # noqa: S108 - the node's
    pods.create(lasting("a", shell(FOREVER, volumeMounts=MOUNT), nodeName=nodes[0], volumes=volumes))

    found = eventually(
        lambda: [e.message or "" for e in client.list(Event, namespace=namespace) if e.reason == "FailedMount"],
        timeout_s=RUN_S,
        what="an event FailedMount of the pod",
    )
    assert "hostPath type check failed: /var/tmp is not a file" in found[0]
