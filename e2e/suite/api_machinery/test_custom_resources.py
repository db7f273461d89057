from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.types import PatchType

from e2e.suite.api_machinery.conftest import MakeWidgets, object_schema
from e2e.suite.controllers import meta, name_of
from e2e.suite.refusals import Refusal, refusal

pytestmark = [
    pytest.mark.sig("api-machinery"),
    pytest.mark.needs("create,delete,get,patch customresourcedefinitions.apiextensions.k8s.io", "widgets.*"),
    pytest.mark.cluster_scoped,
]

Eventually = Callable[..., Any]

SIZED = object_schema(spec=object_schema(size={"type": "integer"}), status=object_schema(ready={"type": "integer"}))


@pytest.mark.cite("docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions#validation")
def test_schema_and_rules_refuse_bad_objects(client: Client, namespace: str, make_widgets: MakeWidgets) -> None:
    """CustomResourceDefinition should refuse objects that break its schema or its rules, naming every wrong field."""
    spec = object_schema(
        size={"type": "integer", "minimum": 1, "maximum": 10},
        colour={"type": "string", "enum": ["red", "blue"]},
        low={"type": "integer"},
        high={"type": "integer"},
    )
    rule = {"rule": "!has(self.low) || !has(self.high) || self.low <= self.high", "message": "low is above high"}
    spec |= {"required": ["size"], "x-kubernetes-validations": [rule]}
    widgets = make_widgets(object_schema(spec=spec))

    def blamed(**fields: Any) -> tuple[int, list[str]]:
        said = refusal(lambda: client.create(widgets.make("bad", spec=fields), namespace=namespace))
        # <nil> says that the rules were not looked at, since the schema did not fit
        return said.code, sorted(field for field in said.fields if field != "<nil>")

    made = client.create(widgets.make("good", spec={"size": 3, "low": 1, "high": 2}), namespace=namespace)
    immutable = refusal(
        lambda: client.patch(
            widgets.resource, "good", {"spec": {"low": 9}}, namespace=namespace, patch_type=PatchType.MERGE
        )
    )

    assert made["spec"] == {"size": 3, "low": 1, "high": 2}
    assert blamed(size=11, colour="green") == (422, ["spec.colour", "spec.size"])
    assert blamed(colour="red") == (422, ["spec.size"])
    assert blamed(size="3") == (422, ["spec.size"])
    assert (immutable.code, immutable.fields, "low is above high" in immutable.message) == (422, ("spec",), True)


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for requests "
    "and from storage works [Conformance]"
)
def test_defaults_apply_to_requests_and_to_storage(
    client: Client, namespace: str, make_widgets: MakeWidgets, eventually: Eventually
) -> None:
    """CustomResourceDefinition should default missing fields in requests, and in objects stored before the default came."""
    widgets = make_widgets(
        object_schema(spec=object_schema(a={"type": "string", "default": "A"}, b={"type": "string"}))
    )
    made = client.create(widgets.make("one", spec={}), namespace=namespace)
    later = object_schema(spec=object_schema(a={"type": "string"}, b={"type": "string", "default": "B"}))
    client.patch(
        CustomResourceDefinition,
        widgets.crd_name,
        [{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": later}],
        patch_type=PatchType.JSON,
    )

    assert made["spec"] == {"a": "A"}
    eventually(
        lambda: client.get(widgets.resource, "one", namespace=namespace)["spec"],
        until=lambda spec: spec == {"a": "A", "b": "B"},
    )


@pytest.mark.cite("docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions#status-subresource")
@pytest.mark.needs("patch widgets.*/status")
def test_status_and_spec_are_written_apart(client: Client, namespace: str, make_widgets: MakeWidgets) -> None:
    """CustomResourceDefinition with a status subresource should keep writes of spec and of status apart, and count generations of the spec."""
    widgets = make_widgets(SIZED, subresources={"status": {}})
    both = {"spec": {"size": 2}, "status": {"ready": 2}}
    made = client.create(widgets.make("one", spec={"size": 1}, status={"ready": 1}), namespace=namespace)
    by_spec = client.patch(widgets.resource, "one", both, namespace=namespace, patch_type=PatchType.MERGE)
    by_status = client.patch(
        widgets.resource.Status,
        "one",
        {"spec": {"size": 3}, "status": {"ready": 3}},
        namespace=namespace,
        patch_type=PatchType.MERGE,
    )
    seen = [(obj.get("spec"), obj.get("status"), meta(obj).generation) for obj in (made, by_spec, by_status)]

    assert seen == [({"size": 1}, None, 1), ({"size": 2}, None, 2), ({"size": 2}, {"ready": 3}, 2)]


@pytest.mark.cite("docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions#scale-subresource")
@pytest.mark.needs("get,patch widgets.*/scale", "patch widgets.*/status")
def test_scale_subresource_maps_to_fields(client: Client, namespace: str, make_widgets: MakeWidgets) -> None:
    """CustomResourceDefinition with a scale subresource should read and write replicas through the fields it names."""
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.ready"}
    widgets = make_widgets(SIZED, subresources={"status": {}, "scale": scale})
    client.create(widgets.make("one", spec={"size": 1}), namespace=namespace)
    client.patch(
        widgets.resource.Status, "one", {"status": {"ready": 1}}, namespace=namespace, patch_type=PatchType.MERGE
    )
    client.patch(
        widgets.resource.Scale, "one", {"spec": {"replicas": 4}}, namespace=namespace, patch_type=PatchType.MERGE
    )
    read = client.get(widgets.resource.Scale, "one", namespace=namespace)
    scaled = client.get(widgets.resource, "one", namespace=namespace)

    assert (read.spec.replicas, read.status.replicas) == (4, 1)
    assert (scaled["spec"], meta(scaled).generation) == ({"size": 4}, 2)


@pytest.mark.cite(
    "docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions#additional-printer-columns"
)
def test_printer_columns(
    client: Client, http: httpx2.Client, namespace: str, make_widgets: MakeWidgets, kubectl: Callable[..., Any]
) -> None:
    """CustomResourceDefinition should print the columns that it names, in Tables and in kubectl."""
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "how big"},
        {"name": "Ready", "type": "integer", "jsonPath": ".status.ready", "priority": 1},
    ]
    widgets = make_widgets(SIZED, additionalPrinterColumns=columns)
    client.create(widgets.make("one", spec={"size": 7}, status={"ready": 5}), namespace=namespace)
    table = http.get(widgets.path, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}).json()
    printed = kubectl("get", f"widgets.{widgets.group}", "-n", namespace).stdout

    assert [(c["name"], c["type"], c["priority"]) for c in table["columnDefinitions"]] == [
        ("Name", "string", 0),
        ("Size", "integer", 0),
        ("Ready", "integer", 1),
    ]
    assert [row["cells"] for row in table["rows"]] == [["one", 7, 5]]
    assert [line.split() for line in printed.splitlines()] == [["NAME", "SIZE"], ["one", "7"]]


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] CustomResourceFieldSelectors [Privileged:ClusterAdmin] CustomResourceFieldSelectors MUST list and "
    "watch custom resources matching the field selector [Conformance]"
)
def test_selectable_fields(client: Client, namespace: str, make_widgets: MakeWidgets) -> None:
    """CustomResourceFieldSelectors should list the objects whose selectable fields match, and refuse other fields."""
    widgets = make_widgets(SIZED, selectableFields=[{"jsonPath": ".spec.size"}])
    for name, size in (("a", 1), ("b", 2), ("c", 1)):
        client.create(widgets.make(name, spec={"size": size}), namespace=namespace)

    def select(field: str, value: str) -> list[str]:
        return sorted(name_of(obj) for obj in client.list(widgets.resource, namespace=namespace, fields={field: value}))

    assert (select("spec.size", "1"), select("spec.size", "2"), select("spec.size", "3")) == (["a", "c"], ["b"], [])
    assert refusal(lambda: select("status.ready", "1")) == Refusal(400, "BadRequest", "")


@pytest.mark.cite("docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions#field-pruning")
def test_unknown_fields_are_pruned_or_kept(client: Client, namespace: str, make_widgets: MakeWidgets) -> None:
    """CustomResourceDefinition should prune fields that its schema does not name, except where it preserves them."""
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    widgets = make_widgets(object_schema(spec=object_schema(size={"type": "integer"}, free=free)))
    made = client.create(
        widgets.make("one", spec={"size": 1, "extra": 1, "free": {"any": [1]}}, more=1), namespace=namespace
    )

    assert {key: made[key] for key in made if key not in ("apiVersion", "kind", "metadata")} == {
        "spec": {"size": 1, "free": {"any": [1]}}
    }


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] should include custom resource "
    "definition resources in discovery documents [Conformance]",
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD with validation schema [Conformance]",
)
def test_definition_is_published(http: httpx2.Client, make_widgets: MakeWidgets, eventually: Eventually) -> None:
    """CustomResourceDefinition should appear in discovery and, with its schema, in OpenAPI v3."""
    widgets = make_widgets(SIZED, subresources={"status": {}})
    found = eventually(
        lambda: http.get(f"/apis/{widgets.group}/v1").raise_for_status().json()["resources"],
        until=lambda r: len(r) == 2,
    )
    kinds = f"/openapi/v3/apis/{widgets.group}/v1"
    schemas = eventually(lambda: http.get(kinds).raise_for_status().json()["components"]["schemas"])
    schema = next(value for name, value in schemas.items() if name.endswith(".Widget"))

    assert [(r["name"], r["kind"], r.get("categories")) for r in sorted(found, key=lambda r: str(r["name"]))] == [
        ("widgets", "Widget", ["gadgets"]),
        ("widgets/status", "Widget", None),
    ]
    assert schema["properties"]["spec"] == SIZED["properties"]["spec"]
    assert schema["x-kubernetes-group-version-kind"] == [{"group": widgets.group, "kind": "Widget", "version": "v1"}]


@pytest.mark.cite(
    "docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions#delete-a-customresourcedefinition"
)
def test_deleting_a_definition_deletes_its_objects(
    client: Client, http: httpx2.Client, namespace: str, make_widgets: MakeWidgets, eventually: Eventually
) -> None:
    """CustomResourceDefinition should wait for its objects when it is deleted, and be no longer served afterwards."""
    widgets = make_widgets(SIZED)
    held = widgets.make("held", spec={"size": 1})
    held["metadata"].finalizers = ["e2e.example.com/hold"]
    client.create(held, namespace=namespace)
    client.create(widgets.make("free", spec={"size": 1}), namespace=namespace)
    client.delete(CustomResourceDefinition, widgets.crd_name)

    def names() -> list[str]:
        return sorted(name_of(obj) for obj in client.list(widgets.resource, namespace=namespace))

    eventually(names, until=lambda left: left == ["held"])
    assert meta(client.get(CustomResourceDefinition, widgets.crd_name)).finalizers == [
        "customresourcecleanup.apiextensions.k8s.io"
    ]
    client.patch(
        widgets.resource, "held", {"metadata": {"finalizers": None}}, namespace=namespace, patch_type=PatchType.MERGE
    )
    eventually(lambda: http.get(widgets.path).status_code, until=lambda code: code == 404)
