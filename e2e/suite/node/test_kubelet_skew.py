from __future__ import annotations

import re

import httpx2
import pytest
from lightkube import Client
from lightkube.resources.core_v1 import Node

from e2e.suite.containers import RUN, Pods, once, shell

pytestmark = [pytest.mark.sig("node"), pytest.mark.requires("pods-run"), pytest.mark.needs(*RUN)]

OLDEST = 3  # minor versions that a kubelet may be behind; it may never be ahead


def minor(version: str) -> int:
    """Return the minor version of ``v1.36.3`` and the like."""
    found = re.match(r"v1\.(\d+)", version)
    assert found, version
    return int(found[1])


@pytest.mark.cite("releases/version-skew-policy#kubelet")
@pytest.mark.needs("get nodes", "get /version")
def test_kubelets_are_within_the_skew(client: Client, http: httpx2.Client, nodes: tuple[str, ...], pods: Pods) -> None:
    """Node should run pods with a kubelet that is not newer than the API server, and not more than three minors older."""
    server = minor(http.get("/version").raise_for_status().json()["gitVersion"])
    pods.create(*(once(f"on-{node}", shell("echo runs"), nodeName=node) for node in nodes))
    for node in nodes:
        pods.end(f"on-{node}", phase="Succeeded")

    behind = {}
    for node in nodes:
        status = client.get(Node, node).status
        assert status
        assert status.nodeInfo
        behind[node] = server - minor(status.nodeInfo.kubeletVersion)
    assert {node: by for node, by in behind.items() if not 0 <= by <= OLDEST} == {}
    assert {node: pods.log(f"on-{node}") for node in nodes} == dict.fromkeys(nodes, "runs\n")
