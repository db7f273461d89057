from __future__ import annotations

from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap
from lightkube.types import PatchType

from e2e.suite.controllers import meta
from e2e.suite.refusals import Refusal, refusal
from e2e.suite.workloads import IMAGE

pytestmark = pytest.mark.sig("api-machinery")


def apply(client: Client, namespace: str, manager: str, *, force: bool = False, **data: str) -> ConfigMap:
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}
    return client.patch(
        ConfigMap, "a", wanted, namespace=namespace, patch_type=PatchType.APPLY, field_manager=manager, force=force
    )


def owners(config_map: ConfigMap) -> dict[str, list[str]]:
    """Return manager -> the keys of ``data`` that it owns."""
    found = {}
    for entry in meta(config_map).managedFields or []:
        keys = [name.removeprefix("f:") for name in (entry.fieldsV1 or {}).get("f:data", {}) if name != "."]
        found[str(entry.manager)] = sorted(keys)
    return found


@pytest.mark.cite("docs/reference/using-api/server-side-apply#conflicts")
@pytest.mark.needs("configmaps")
def test_conflict_names_the_owner_and_force_takes_over(client: Client, namespace: str) -> None:
    """Server-side apply should refuse to change another manager's field, name both, and take it over when forced."""
    apply(client, namespace, "first", shared="1", own="1")
    said = refusal(lambda: apply(client, namespace, "second", shared="2"))
    same = apply(client, namespace, "third", shared="1")
    forced = apply(client, namespace, "second", force=True, shared="2")

    assert (said, said.fields) == (Refusal(409, "Conflict", ""), (".data.shared",))
    assert '"first"' in said.message
    assert owners(same) == {"first": ["own", "shared"], "third": ["shared"]}
    assert (forced.data, owners(forced)) == ({"shared": "2", "own": "1"}, {"first": ["own"], "second": ["shared"]})


@pytest.mark.cite("docs/reference/using-api/server-side-apply#field-management")
@pytest.mark.needs("configmaps")
def test_field_no_longer_applied_is_removed(client: Client, namespace: str) -> None:
    """Server-side apply should remove a field that its only owner no longer applies, and keep one that is shared."""
    apply(client, namespace, "first", mine="1", shared="1")
    apply(client, namespace, "second", shared="1")
    after = apply(client, namespace, "first", new="1")

    assert (after.data, owners(after)) == ({"new": "1", "shared": "1"}, {"first": ["new"], "second": ["shared"]})


@pytest.mark.cite("docs/reference/using-api/server-side-apply#merge-strategy")
@pytest.mark.needs("deployments.apps")
def test_lists_merge_by_key(client: Client, namespace: str) -> None:
    """Server-side apply should merge the containers and variables of several managers by their keys."""

    def applied(manager: str, containers: list[dict[str, Any]], **spec: Any) -> Deployment:
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a"},
            "spec": {**spec, "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": containers}}},
        }
        return client.patch(
            Deployment, "a", body, namespace=namespace, patch_type=PatchType.APPLY, field_manager=manager
        )

    # no replicas: the case is about the object, not about its pods
    base = {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}}
    applied("first", [{"name": "main", "image": IMAGE, "env": [{"name": "A", "value": "1"}]}], **base)
    applied("second", [{"name": "main", "env": [{"name": "B", "value": "2"}]}, {"name": "side", "image": IMAGE}])
    both = applied("second", [{"name": "side", "image": IMAGE}])

    assert both.spec is not None
    template = both.spec.template.spec
    assert template is not None
    assert [(c.name, [e.name for e in c.env or []]) for c in template.containers] == [("main", ["A"]), ("side", [])]
