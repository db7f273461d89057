from __future__ import annotations

from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube import operators as op
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Pod

from e2e.suite.controllers import name_of
from e2e.suite.refusals import refusal
from e2e.suite.workloads import pod

pytestmark = pytest.mark.sig("api-machinery")

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def chunks(http: httpx2.Client, path: str, **params: str) -> list[dict[str, Any]]:
    """Return every page of a list."""
    pages: list[dict[str, Any]] = []
    token = ""
    while not pages or token:
        answer = http.get(path, params={**params, **({"continue": token} if token else {})})
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        token = pages[-1]["metadata"].get("continue", "")
    return pages


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls [Conformance]"
)
@pytest.mark.needs("configmaps")
def test_list_comes_in_chunks_of_one_moment(client: Client, http: httpx2.Client, namespace: str) -> None:
    """API chunking should return all objects of one moment in order, page by page, although the list changes meanwhile."""
    names = [f"c{n:02}" for n in range(17)]
    for name in names:
        client.create(ConfigMap(metadata=ObjectMeta(name=name, labels={"chunk": "yes"})), namespace=namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    query = {"limit": "5", "labelSelector": "chunk=yes"}
    first = http.get(path, params=query).json()
    client.delete(ConfigMap, "c16", namespace=namespace)
    client.create(ConfigMap(metadata=ObjectMeta(name="c99", labels={"chunk": "yes"})), namespace=namespace)
    rest = chunks(http, path, **query, **{"continue": first["metadata"]["continue"]})
    pages = [first, *rest]

    assert [[item["metadata"]["name"] for item in page["items"]] for page in pages] == [
        names[:5],
        names[5:10],
        names[10:15],
        names[15:],
    ]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
    assert http.get(path, params={**query, "continue": "nonsense"}).status_code == 400


@pytest.mark.cite("docs/concepts/overview/working-with-objects/labels#label-selectors")
@pytest.mark.needs("configmaps")
def test_label_selectors(client: Client, namespace: str) -> None:
    """Label selectors should select by equality, by sets and by existence."""
    labels: dict[str, dict[str, str]] = {
        "a": {"tier": "front", "env": "prod"},
        "b": {"tier": "front", "env": "test"},
        "c": {"tier": "back", "env": "prod"},
        "d": {"env": "dev"},
    }
    for name, its in labels.items():
        client.create(ConfigMap(metadata=ObjectMeta(name=name, labels={**its, "sel": "yes"})), namespace=namespace)

    def select(**wanted: Any) -> str:
        found = client.list(ConfigMap, namespace=namespace, labels={"sel": "yes", **wanted})
        return "".join(sorted(name_of(item) for item in found))

    assert {
        "tier=front": select(tier="front"),
        "tier!=front": select(tier=op.not_equal("front")),
        "env in": select(env=op.in_(["prod", "dev"])),
        "env notin": select(env=op.not_in(["prod", "dev"])),
        "tier": select(tier=op.exists()),
        "!tier": select(tier=op.not_exists()),
        "two": select(tier="front", env=op.in_(["prod"])),
    } == {
        "tier=front": "ab",
        "tier!=front": "cd",
        "env in": "acd",
        "env notin": "b",
        "tier": "abc",
        "!tier": "d",
        "two": "a",
    }


@pytest.mark.cite("docs/concepts/overview/working-with-objects/field-selectors")
@pytest.mark.needs("pods")
def test_field_selectors(client: Client, namespace: str) -> None:
    """Field selectors should select Pods by their fields and refuse fields that are not indexed."""
    for name in ("a", "b", "c"):
        client.create(
            pod(name, nodeSelector={"no": "node"}, restartPolicy="Never" if name == "c" else "Always"),
            namespace=namespace,
        )

    def select(**fields: Any) -> list[str]:
        wanted = {name.replace("_", "."): value for name, value in fields.items()}
        return sorted(name_of(p) for p in client.list(Pod, namespace=namespace, fields=wanted))

    assert select(metadata_name="b") == ["b"]
    assert select(metadata_name=op.not_equal("b")) == ["a", "c"]
    assert select(spec_restartPolicy="Never", status_phase="Pending") == ["c"]
    assert select(status_phase="Running") == []
    assert refusal(lambda: select(spec_priority="0")).code == 400


@pytest.mark.cite("docs/reference/kubernetes-api/common-parameters#labelSelector")
@pytest.mark.needs("configmaps", "deletecollection configmaps")
def test_delete_collection_respects_the_selector(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Deleting a collection should remove what the selector matches and nothing else."""
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "red")):
        client.create(ConfigMap(metadata=ObjectMeta(name=name, labels={"colour": colour})), namespace=namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    answer = http.delete(path, params={"labelSelector": "colour=red"})

    assert answer.status_code == 200
    left = client.list(ConfigMap, namespace=namespace, labels={"colour": op.exists()})
    assert [name_of(item) for item in left] == ["b"]


@pytest.mark.cite("docs/reference/using-api/api-concepts#receiving-resources-as-tables")
@pytest.mark.needs("configmaps")
def test_lists_as_tables(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Servers with support for Table transformation should return columns and cells, and metadata where that is asked for."""
    client.create(ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "v", "l": "w"}), namespace=namespace)
    query = {"fieldSelector": "metadata.name=a"}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    table = http.get(path, params=query, headers={"Accept": TABLE}).json()
    partial = http.get(
        path, params=query, headers={"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    ).json()

    assert (table["kind"], [column["name"] for column in table["columnDefinitions"]]) == (
        "Table",
        ["Name", "Data", "Age"],
    )
    assert [row["cells"][:2] for row in table["rows"]] == [["a", 2]]
    assert partial["kind"] == "PartialObjectMetadataList"
    assert [sorted(item) for item in partial["items"]] == [["apiVersion", "kind", "metadata"]]


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not "
    "implement metadata [Conformance]"
)
def test_what_has_no_table_is_refused(http: httpx2.Client) -> None:
    """Servers with support for Table transformation should return a 406 for a backend which does not implement metadata."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
    }
    answer = http.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=review, headers={"Accept": TABLE})

    assert answer.status_code == 406
