from __future__ import annotations

from typing import Any

import httpx2
import pytest

from providers.contracts import Cluster

pytestmark = pytest.mark.sig("api-machinery")

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

# Groups of definitions come and go while other cases run.
OWN = ".k8s.io"


def is_built_in(group: str) -> bool:
    return "." not in group or group.endswith(OWN)


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface [Conformance]",
    "[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers [Conformance]",
)
def test_aggregated_discovery_agrees_with_the_documents(http: httpx2.Client) -> None:
    """AggregatedDiscovery should list in one answer the versions and resources that the single documents list."""
    whole = http.get("/apis", headers={"Accept": AGGREGATED})
    found = {
        f"{group['metadata']['name']}/{version['version']}": {r["resource"] for r in version["resources"]}
        for group in whole.json()["items"]
        if is_built_in(group["metadata"]["name"])
        for version in group["versions"]
    }
    single = {
        name: {r["name"] for r in http.get(f"/apis/{name}").json()["resources"] if "/" not in r["name"]}
        for name in found
    }

    assert whole.headers["Content-Type"] == AGGREGATED
    assert found == single
    assert {"apps/v1", "batch/v1", "rbac.authorization.k8s.io/v1"} <= set(found)


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup [Conformance]",
    "[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup [Conformance]",
)
def test_preferred_versions_are_served(http: httpx2.Client) -> None:
    """Discovery should name for each API group a preferred version that it serves and that has resources."""
    groups = [group for group in http.get("/apis").json()["groups"] if is_built_in(group["name"])]
    strange = [group["name"] for group in groups if group["preferredVersion"] not in group["versions"]]
    preferred = [group["preferredVersion"]["groupVersion"] for group in groups]
    empty = [name for name in preferred if not http.get(f"/apis/{name}").json()["resources"]]

    assert (strange, empty) == ([], [])
    assert len(preferred) > 10


@pytest.mark.cite("docs/concepts/overview/kubernetes-api#openapi-v3")
def test_openapi_v3_describes_each_group(http: httpx2.Client) -> None:
    """OpenAPI v3 should describe each group version in a document of its own that may be cached by its hash."""
    index: dict[str, Any] = http.get("/openapi/v3").json()["paths"]
    address = index["apis/coordination.k8s.io/v1"]["serverRelativeURL"]
    answer = http.get(address)
    again = http.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    document = answer.json()
    create = document["paths"]["/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"]["post"]

    assert {"api/v1", "apis/apps/v1", "version"} <= set(index)
    assert answer.headers["Cache-Control"] == "public, immutable"
    assert (again.status_code, again.content) == (304, b"")
    assert create["x-kubernetes-group-version-kind"] == {
        "group": "coordination.k8s.io",
        "kind": "Lease",
        "version": "v1",
    }
    assert set(document["components"]["schemas"]["io.k8s.api.coordination.v1.Lease"]["properties"]) == {
        "apiVersion",
        "kind",
        "metadata",
        "spec",
    }


@pytest.mark.conformance
@pytest.mark.cite("[sig-api-machinery] server version should find the server version [Conformance]")
def test_server_version(http: httpx2.Client, cluster: Cluster) -> None:
    """Server version should be the version that the cluster was made with."""
    found = http.get("/version").json()

    assert found["gitVersion"] == cluster.version
    assert cluster.version.startswith(f"v{found['major']}.{found['minor'].rstrip('+')}.")


@pytest.mark.cite("docs/concepts/cluster-administration/flow-control#diagnostics")
@pytest.mark.needs(
    "get namespaces",
    "list flowschemas.flowcontrol.apiserver.k8s.io",
    "get prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
)
def test_requests_are_classified(http: httpx2.Client) -> None:
    """API priority and fairness should name in each answer the FlowSchema that matched the request and its priority level."""
    answer = http.get("/api/v1/namespaces/default")
    flow = "/apis/flowcontrol.apiserver.k8s.io/v1"
    schemas = {item["metadata"]["uid"]: item for item in http.get(f"{flow}/flowschemas").json()["items"]}
    schema = schemas[answer.headers["X-Kubernetes-PF-FlowSchema-UID"]]
    level = http.get(
        f"{flow}/prioritylevelconfigurations/{schema['spec']['priorityLevelConfiguration']['name']}"
    ).json()

    assert level["metadata"]["uid"] == answer.headers["X-Kubernetes-PF-PriorityLevel-UID"]
