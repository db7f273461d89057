"""Kinds of one's own: each test gets CustomResourceDefinitions in an API group that nobody else uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apiextensions_v1 import CustomResourceDefinitionNames, CustomResourceDefinitionSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition

from e2e.suite.controllers import conditions


@dataclass(frozen=True, slots=True)
class Widgets:
    """A kind ``Widget`` of a test. ``resource``: its class for the client; ``path``: of its list in the namespace."""

    group: str
    crd_name: str
    resource: Any
    path: str

    def make(self, name: str, **fields: Any) -> Any:
        """Return a widget to be created; ``fields`` beside metadata, usually ``spec``."""
        return self.resource(metadata=ObjectMeta(name=name), **fields)


MakeWidgets = Callable[..., Widgets]


def object_schema(**properties: Any) -> dict[str, Any]:
    """Return an OpenAPI schema of an object."""
    return {"type": "object", "properties": properties}


@pytest.fixture
def make_widgets(
    client: Client,
    http: httpx2.Client,
    namespace: str,
    create_global: Callable[..., Any],
    eventually: Callable[..., Any],
) -> MakeWidgets:
    """Return a function that defines the kind Widget from its schema and waits until it is served.

    ``version``: further fields of its only version, such as ``subresources``.
    """

    def make(schema: dict[str, Any], **version: Any) -> Widgets:
        group = f"{namespace}.example.com"
        names = CustomResourceDefinitionNames(
            kind="Widget", listKind="WidgetList", plural="widgets", singular="widget", categories=["gadgets"]
        )
        served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
        spec: Any = CustomResourceDefinitionSpec.from_dict(
            {"group": group, "names": names.to_dict(), "scope": "Namespaced", "versions": [served]}
        )
        name = f"widgets.{group}"
        create_global(CustomResourceDefinition(metadata=ObjectMeta(name=name), spec=spec))
        path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
        eventually(
            lambda: conditions(client.get(CustomResourceDefinition, name)),
            until=lambda found: found["Established"][0] == "True",
            what="the definition is established",
        )
        eventually(lambda: http.get(path).status_code, until=lambda code: code == 200, what="the kind is served")
        return Widgets(group, name, create_namespaced_resource(group, "v1", "Widget", "widgets"), path)

    return make
